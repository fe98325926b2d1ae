import type { RawEvent } from './messages.js';

const TAIL_EVENTS = 1000;
const TAIL_BYTES = 512 * 1024;
const encoder = new TextEncoder();

/**
 * The last events of the log that a client is in, as they came: a copy of the log's end,
 * from which the server can put back what a failover of Redis lost.
 */
export class EventTail {
  private epoch = '';
  private events: { seq: number; event: RawEvent; size: number }[] = [];
  private size = 0;

  /** Keep an event; those of another log are forgotten, and the oldest when it is much. */
  add(epoch: string, event: RawEvent): void {
    if (epoch !== this.epoch) {
      this.events = [];
      this.size = 0;
      this.epoch = epoch;
    }
    const last = this.events.at(-1);
    if (last !== undefined && event.seq <= last.seq) return;
    // In bytes, as the server measures a frame: Korean text has three bytes a character.
    const size = encoder.encode(JSON.stringify(event)).length;
    this.events.push({ seq: event.seq, event, size });
    this.size += size;
    while (this.events.length > TAIL_EVENTS || this.size > TAIL_BYTES) {
      this.size -= this.events.shift()!.size;
    }
  }

  /** Return the event at a place, if it is the last one. */
  at(epoch: string, seq: number): RawEvent | null {
    const last = this.events.at(-1);
    return epoch === this.epoch && last?.seq === seq ? last.event : null;
  }

  /** Return the events of a log beyond a seq, in order. */
  after(epoch: string, seq: number): RawEvent[] {
    return epoch === this.epoch ? this.events.filter((one) => one.seq > seq).map((one) => one.event) : [];
  }
}
