import type { HistoryPage } from './messages.js';

interface Asked {
  before: number;
  limit: number;
  resolve: (page: HistoryPage) => void;
  reject: (reason: Error) => void;
}

/** Questions for older messages: one at a time on the wire, and again after a loss. */
export class HistoryRequests {
  private waiting: Asked[] = [];
  private retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly transmit: (frame: object) => void) {}

  ask(before: number, limit: number): Promise<HistoryPage> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ before, limit, resolve, reject });
      if (this.waiting.length === 1) this.send();
    });
  }

  /** Handle a page; one that cannot answer the oldest question came again for an earlier one. */
  answer(page: HistoryPage): void {
    const last = page.messages.at(-1);
    if (last !== undefined && last.seq >= (this.waiting[0]?.before ?? 0)) return;
    this.waiting.shift()?.resolve(page);
    this.send();
  }

  /** Ask once more: the question went with its connection, or was refused for now. */
  askAgain(delayMs: number): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.send(), delayMs);
  }

  close(): void {
    clearTimeout(this.retryTimer);
    for (const { reject } of this.waiting.splice(0)) reject(new Error('the session was left'));
  }

  private send(): void {
    const [first] = this.waiting;
    if (first !== undefined) this.transmit({ type: 'history', before: first.before, limit: first.limit });
  }
}
