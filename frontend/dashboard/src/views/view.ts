import type { Stand } from '../model.js';

/** A part of the page that shows part of the state. */
export interface View {
  element: HTMLElement;
  update: (stand: Stand) => void;
  dispose?: () => void;
}
