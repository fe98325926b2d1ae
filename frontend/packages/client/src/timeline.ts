import type { ChatEvent, Position, SessionRestored } from './messages.js';

export type Taken = 'next' | 'seen' | 'hole';

/** Where this client stands in the chat log: each seq is taken once, in order. */
export class Timeline {
  private current: Position | null = null;

  get position(): Position | null {
    return this.current;
  }

  /** Take one live event; a 'hole' changes nothing and asks for a restore. */
  take(event: Pick<ChatEvent, 'seq'>): Taken {
    if (this.current === null) return 'hole';
    if (event.seq <= this.current.seq) return 'seen';
    if (event.seq > this.current.seq + 1) return 'hole';
    this.current = { ...this.current, seq: event.seq };
    return 'next';
  }

  /**
   * Take the answer to a restore: which events are new, and whether those held
   * before it are to be forgotten.
   *
   * A replay may overlap what an older connection brought meanwhile.
   */
  restore(reply: Pick<SessionRestored, 'mode' | 'position' | 'chat_history'>): {
    reset: boolean;
    events: ChatEvent[];
  } {
    const held = this.current;
    if (reply.mode === 'full' || held?.epoch !== reply.position.epoch) {
      this.current = reply.position;
      return { reset: true, events: reply.chat_history };
    }
    this.current = reply.position.seq > held.seq ? reply.position : held;
    return { reset: false, events: reply.chat_history.filter((event) => event.seq > held.seq) };
  }

  /** Forget the position: the next restore brings the recent history. */
  forget(): void {
    this.current = null;
  }
}
