import type { Stand } from '../api.js';

/** A piece of the page that shows how things stand. */
export interface View {
  element: HTMLElement;
  update: (stand: Stand) => void;
  dispose?: () => void;
}
