import type { Position, SessionRestored } from './messages.js';

/** A run of messages that the log had and we did not get, both ends included. */
export interface Hole {
  first: number;
  last: number;
}

/** What one frame brought. */
export interface Delivery<Event> {
  /** New events, in order. */
  events: Event[];
  /** What is missing before or between them. */
  holes: Hole[];
  /** The log is another one, or lost its end: forget what you hold. */
  restarted: boolean;
  /** A live event was shown that the answer to a restore stops short of: ask again. */
  isBehind: boolean;
}

interface HasSeq {
  seq: number;
}

/**
 * One client's place in the session's log; connections come and go under it.
 *
 * A live event beyond the next one is not delivered: the hole is reported, and the
 * caller restores again from `position`, which brings that event once more. A hole in
 * what a restore itself brings is final: it is reported, and stepped over.
 *
 * The answer may have been made before that event, or before others that came while it was
 * under way. If no event follows, no hole would ever show them: the answer is then `isBehind`.
 */
export class Timeline<Event extends HasSeq> {
  private held: Position | null = null;
  /** The greatest seq of the live events that were not delivered since the last answer. */
  private greatestHeldBack = 0;

  /** The last message delivered; null before the first restore. */
  get position(): Position | null {
    return this.held;
  }

  /**
   * Handle `session_restored`, the answer to a restore from `asked`.
   *
   * By the time it comes, another connection may have brought us further than
   * `asked`; what we have is not delivered again.
   */
  restore(
    asked: Position | null,
    mode: SessionRestored['mode'],
    stand: Position,
    history: Event[],
  ): Delivery<Event> {
    const { held } = this;
    const restarted = held !== null && isOtherLog(held, asked, mode, stand);
    const from = held === null || restarted ? null : held.seq;
    const { events, holes, last } = takeInOrder(history, from);
    if (last !== null && stand.seq > last) holes.push({ first: last + 1, last: stand.seq });
    this.held = { epoch: stand.epoch, seq: Math.max(last ?? 0, stand.seq) };
    const isBehind = held?.epoch === stand.epoch && this.greatestHeldBack > this.held.seq;
    this.greatestHeldBack = 0; // A seq that the log never has is asked for once.
    return { events, holes, restarted, isBehind };
  }

  /** Handle a live event of a connection that was restored in log `epoch`. */
  receive(epoch: string, event: Event): Delivery<Event> {
    const { held } = this;
    const nothing: Delivery<Event> = { events: [], holes: [], restarted: false, isBehind: false };
    if (held?.epoch !== epoch || event.seq <= held.seq) return nothing;
    if (event.seq > held.seq + 1) {
      this.greatestHeldBack = Math.max(this.greatestHeldBack, event.seq);
      return { ...nothing, holes: [{ first: held.seq + 1, last: event.seq - 1 }] };
    }
    this.held = { epoch, seq: event.seq };
    return { ...nothing, events: [event] };
  }
}

/** True if a history has every message after a position. */
export function showsSince([first]: readonly HasSeq[], since: Position): boolean {
  return first !== undefined && first.seq <= since.seq + 1;
}

/** True if a history is all that a log ever took, which is now at `stand`. */
export function showsAll(history: readonly HasSeq[], stand: Position): boolean {
  return stand.seq === 0 || history[0]?.seq === 1;
}

function isOtherLog(
  held: Position,
  asked: Position | null,
  mode: SessionRestored['mode'],
  stand: Position,
): boolean {
  if (stand.epoch !== held.epoch) return true;
  return mode === 'full' && asked !== null && stand.seq < asked.seq;
}

function takeInOrder<Event extends HasSeq>(
  history: Event[],
  from: number | null,
): { events: Event[]; holes: Hole[]; last: number | null } {
  const events: Event[] = [];
  const holes: Hole[] = [];
  let last = from;
  for (const event of [...history].sort((a, b) => a.seq - b.seq)) {
    if (last !== null && event.seq <= last) continue;
    if (last !== null && event.seq > last + 1) holes.push({ first: last + 1, last: event.seq - 1 });
    events.push(event);
    last = event.seq;
  }
  return { events, holes, last };
}
