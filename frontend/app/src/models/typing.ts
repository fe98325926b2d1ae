import type { IsshoniClient } from '@isshoni/client';
import { Observable } from '../observable.js';

/** How long after the last key this user counts as typing. */
const PAUSE_MS = 3_000;
/** How long another client counts as typing without a new sign: a closed tab sends nothing more. */
const BELIEVED_MS = 8_000;

interface Changes {
  added: number[];
  updated: number[];
  removed: number[];
}

/** Who is typing, by the awareness field `typing`. */
export class Typing extends Observable {
  /** Until when each other client counts as typing. */
  private readonly until = new Map<string, number>();
  private saidAt = -Infinity;
  private pauseTimer: ReturnType<typeof setTimeout> | undefined;
  private expiryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly client: Pick<IsshoniClient, 'clientId' | 'awareness'>,
    private readonly now: () => number = () => performance.now(),
  ) {
    super();
    client.awareness.on('update', ({ added, updated, removed }: Changes) => this.notice([...added, ...updated], removed));
  }

  /** The other clients that are typing. */
  get clients(): string[] {
    return [...this.until.keys()];
  }

  /** Publish that this user types, or not if nothing is left of the message. */
  wrote(text: string): void {
    if (text === '') this.ended();
    else this.pressed();
  }

  private pressed(): void {
    clearTimeout(this.pauseTimer);
    this.pauseTimer = setTimeout(() => this.ended(), PAUSE_MS);
    if (this.now() - this.saidAt < PAUSE_MS) return;
    this.saidAt = this.now();
    this.client.awareness.setLocalStateField('typing', true);
  }

  /** Publish that this user is not typing: the message was sent, or nothing was typed for a while. */
  ended(): void {
    clearTimeout(this.pauseTimer);
    if (this.saidAt === -Infinity) return;
    this.saidAt = -Infinity;
    this.client.awareness.setLocalStateField('typing', false);
  }

  private notice(heard: number[], removed: number[]): void {
    const before = this.clients.join();
    for (const id of heard) {
      const state = this.client.awareness.getStates().get(id);
      const client: unknown = state?.client_id;
      if (typeof client !== 'string' || client === this.client.clientId) continue;
      if (state?.typing === true) this.until.set(client, this.now() + BELIEVED_MS);
      else this.until.delete(client);
    }
    if (removed.length > 0) this.forgetAbsent();
    this.waitForExpiry();
    if (this.clients.join() !== before) this.changed();
  }

  private forgetAbsent(): void {
    const present = new Set([...this.client.awareness.getStates().values()].map(({ client_id }) => client_id as unknown));
    for (const client of this.clients) if (!present.has(client)) this.until.delete(client);
  }

  private waitForExpiry(): void {
    clearTimeout(this.expiryTimer);
    if (this.until.size === 0) return;
    const nextMs = Math.min(...this.until.values()) - this.now();
    this.expiryTimer = setTimeout(() => this.expire(), Math.max(nextMs, 0) + 1);
  }

  private expire(): void {
    for (const [client, until] of this.until) if (until <= this.now()) this.until.delete(client);
    this.waitForExpiry();
    this.changed();
  }
}
