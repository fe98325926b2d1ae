import type { IsshoniClient } from '@isshoni/client';
import { Observable } from '../observable.js';

/** A part of the canvas: left, top, right and bottom, in its own coordinates. */
export type View = readonly [number, number, number, number];

/**
 * Whose view of the canvas this tab follows, and who follows this one's.
 *
 * A tab publishes its view only while another one follows it, and not while it follows one
 * itself: two that followed each other would push each other's views for ever.
 */
export class Following extends Observable {
  /** The client that is followed; null for none. */
  followed: string | null = null;

  constructor(private readonly client: Pick<IsshoniClient, 'awareness' | 'clientId'>) {
    super();
    client.awareness.on('change', () => {
      if (this.followed !== null && this.stateOf(this.followed) === undefined) this.stop();
    });
  }

  start(clientId: string): void {
    this.followed = clientId;
    this.client.awareness.setLocalStateField('following', clientId);
    this.client.awareness.setLocalStateField('view', null);
    this.changed();
  }

  readonly stop = (): void => {
    if (this.followed === null) return;
    this.followed = null;
    this.client.awareness.setLocalStateField('following', null);
    this.changed();
  };

  /** True if the view has to be published. */
  get isShown(): boolean {
    if (this.followed !== null) return false;
    return [...this.client.awareness.getStates().values()].some(({ following }) => following === this.client.clientId);
  }

  show(view: View): void {
    this.client.awareness.setLocalStateField('view', view);
  }

  /** The view of the client that is followed; null if it is not known (yet). */
  get view(): View | null {
    const view: unknown = this.followed === null ? null : this.stateOf(this.followed)?.view;
    return isView(view) ? view : null;
  }

  /** Call `listener` when a view or a follower may have changed; returns a function that stops it. */
  observeViews(listener: () => void): () => void {
    const { awareness } = this.client;
    awareness.on('change', listener);
    return () => awareness.off('change', listener);
  }

  private stateOf(clientId: string): Record<string, unknown> | undefined {
    return [...this.client.awareness.getStates().values()].find(({ client_id }) => client_id === clientId);
  }
}

/** True for a view that can be shown: any client may write anything. */
function isView(value: unknown): value is View {
  if (!Array.isArray(value) || value.length !== 4 || !value.every(Number.isFinite)) return false;
  const [left, top, right, bottom] = value as unknown as View;
  return left < right && top < bottom;
}
