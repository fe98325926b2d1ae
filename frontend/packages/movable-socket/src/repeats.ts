import type { MovableOptions } from './options.js';

/** A server may lag: it may deliver again what the other one delivered so long before the move. */
const EARLIER_MS = 300;

/** Decides which messages of two servers are one: what both deliver is delivered once. */
export class Repeats {
  private earlier: { at: number; data: unknown }[] = [];
  /** By key: how many more the old server delivered than the new one. */
  private ahead: Map<string, number> | null = null;

  constructor(private readonly how: MovableOptions['dedupe']) {}

  begin(): void {
    const since = Date.now() - EARLIER_MS;
    const earlier = this.earlier.filter(({ at }) => at >= since);
    this.ahead = new Map();
    this.earlier = [];
    for (const { data } of earlier) this.isNew(data, true);
  }

  end(): void {
    this.ahead = null;
  }

  /** True unless the other server has delivered the same message. */
  isNew(data: unknown, fromOld: boolean): boolean {
    if (this.how === false) return true;
    if (this.ahead === null) {
      this.remember(data);
      return true;
    }
    const key = typeof this.how === 'function' ? this.how(data) : contentOf(data);
    if (key === null) return true;
    const ahead = this.ahead.get(key) ?? 0;
    this.ahead.set(key, ahead + (fromOld ? 1 : -1));
    return fromOld ? ahead >= 0 : ahead <= 0;
  }

  private remember(data: unknown): void {
    const at = Date.now();
    while (this.earlier.length > 0 && this.earlier[0]!.at < at - EARLIER_MS) this.earlier.shift();
    this.earlier.push({ at, data });
  }
}

function contentOf(data: unknown): string | null {
  if (typeof data === 'string') return `t${data}`;
  const bytes =
    data instanceof ArrayBuffer
      ? new Uint8Array(data)
      : ArrayBuffer.isView(data)
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        : null;
  if (bytes === null) return null;
  let text = 'b';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
