import { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import type { CanvasSync } from './canvas-sync.js';

const GREET_WITHIN_MS = 300;

type Changes = Record<'added' | 'updated' | 'removed', number[]>;

/** Tells the others who we are: when that changes, and when someone comes. */
export class Presence {
  readonly awareness: Awareness;
  private greetingTimer: ReturnType<typeof setTimeout> | undefined;

  /** `canvas` gives the connection in use; `random` spreads the greetings of a crowd. */
  constructor(
    doc: Y.Doc,
    private readonly canvas: () => CanvasSync | undefined,
    private readonly random: () => number,
  ) {
    this.awareness = new Awareness(doc);
    this.awareness.on('update', this.onUpdate);
  }

  /** Leave; while there is a connection, the others hear it. */
  close(): void {
    this.awareness.destroy();
    clearTimeout(this.greetingTimer);
  }

  private readonly onUpdate = ({ added, updated, removed }: Changes): void => {
    const self = this.awareness.clientID;
    // Also when others believe that we left: y-protocols then raises our clock.
    if ([...added, ...updated, ...removed].includes(self)) this.canvas()?.sendPresence();
    if (added.some((id) => id !== self)) this.greet();
  };

  /** The server keeps no presence: a newcomer knows of us only when we say it again. */
  private greet(): void {
    clearTimeout(this.greetingTimer);
    this.greetingTimer = setTimeout(() => this.canvas()?.sendPresence(), this.random() * GREET_WITHIN_MS);
  }
}
