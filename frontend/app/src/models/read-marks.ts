import type { ChatEvent } from '@isshoni/client';

/** The message of a log up to which a user has read it; `client_id` and `n` tell whether it is the same log. */
export type ReadMark = Pick<ChatEvent, 'seq' | 'client_id' | 'n'>;

const KEY = 'isshoni:read';
/** Sessions whose mark is kept; those that were read longest ago are forgotten. */
const MOST_SESSIONS = 200;
const PAUSE_MS = 500;

/** Keeps in this browser up to which message its user has read one session. */
export class ReadMarks {
  private next: ReadMark | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly space: string) {
    globalThis.addEventListener?.('pagehide', () => this.flush());
  }

  /** Return the mark, whatever this browser has; null if it has none. */
  load(): ReadMark | null {
    const mark = readAll()[this.space] as Partial<ReadMark> | null | undefined;
    const { seq, client_id, n } = mark ?? {};
    return typeof seq === 'number' && typeof client_id === 'string' && typeof n === 'number' ? { seq, client_id, n } : null;
  }

  /** Store a mark soon: a busy session has many messages a second. */
  save({ seq, client_id, n }: ReadMark): void {
    this.next = { seq, client_id, n };
    this.timer ??= setTimeout(() => this.flush(), PAUSE_MS);
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.next === null) return;
    const { [this.space]: _, ...others } = readAll();
    const kept = Object.entries(others).slice(1 - MOST_SESSIONS);
    try {
      localStorage.setItem(KEY, JSON.stringify(Object.fromEntries([...kept, [this.space, this.next]])));
    } catch {
      // Storage may be forbidden or full: then a reload counts nothing as unread.
    }
    this.next = null;
  }
}

function readAll(): Record<string, unknown> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof stored === 'object' && stored !== null ? { ...stored } : {};
  } catch {
    return {};
  }
}
