import { sizeOf } from './events.js';

export type Timer = ReturnType<typeof setTimeout>;

/** A move that is under way. */
export interface Move {
  to: string;
  old: WebSocket;
  socket: WebSocket;
  /** Messages of the new server, until they are shown to the application. */
  came: MessageEvent[];
  ready: boolean;
  since: number;
  timers: Timer[];
}

/** Throw what the current connection would throw, while it still has messages to send. */
export function checkClose(code?: number, reason = ''): void {
  if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
    throw new DOMException(`The close code must be 1000, or 3000 to 4999; it is ${code}.`, 'InvalidAccessError');
  }
  if (sizeOf(reason) > 123) {
    throw new DOMException(`The close reason has ${sizeOf(reason)} bytes, and may have 123.`, 'SyntaxError');
  }
}
