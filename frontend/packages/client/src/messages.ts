/** The text frames of docs/protocol.md, as a client sees them. */

export interface Position {
  epoch: string;
  seq: number;
}

export interface ChatEvent {
  type: 'chat';
  seq: number;
  client_id: string;
  n: number;
  text: string;
  at: number;
}

export interface ServerIdentity {
  version: string;
  colour: string;
  heartbeat_seconds: number;
}

export interface SessionRestored {
  type: 'session_restored';
  mode: 'replay' | 'full';
  position: Position;
  last_n: number;
  chat_history: ChatEvent[];
  server: ServerIdentity;
}

export interface Migrate {
  type: 'migrate';
  to: string;
  ticket: string;
}

export interface ServerError {
  type: 'error';
  code: string;
  message: string;
  n?: number;
  expected?: number;
}

export type Inbound =
  | SessionRestored
  | ChatEvent
  | Migrate
  | ServerError
  | { type: 'ack'; n: number }
  | { type: 'saved'; updates: number }
  | { type: 'pong' };

type Fields = Record<string, unknown>;

const isText = (value: unknown): value is string => typeof value === 'string';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isChatEvent(frame: unknown): boolean {
  return (
    isFields(frame) &&
    isCount(frame.seq) &&
    isText(frame.client_id) &&
    isCount(frame.n) &&
    isText(frame.text) &&
    typeof frame.at === 'number'
  );
}

function isSessionRestored(frame: Fields): boolean {
  const { position, server } = frame;
  return (
    (frame.mode === 'replay' || frame.mode === 'full') &&
    isFields(position) &&
    isText(position.epoch) &&
    isCount(position.seq) &&
    isCount(frame.last_n) &&
    Array.isArray(frame.chat_history) &&
    frame.chat_history.every(isChatEvent) &&
    isFields(server) &&
    isText(server.version) &&
    isText(server.colour) &&
    typeof server.heartbeat_seconds === 'number' &&
    server.heartbeat_seconds > 0
  );
}

const CHECKS: Record<string, (frame: Fields) => boolean> = {
  session_restored: isSessionRestored,
  chat: isChatEvent,
  migrate: (frame) => isText(frame.to) && isText(frame.ticket),
  error: (frame) => isText(frame.code) && isText(frame.message),
  ack: (frame) => isCount(frame.n),
  saved: (frame) => isCount(frame.updates),
  pong: () => true,
};

/**
 * Parse one text frame from the server.
 *
 * Returns null for what this client does not know or cannot use: a newer server
 * may say more than we understand, and that must not end the connection.
 */
export function parseInbound(text: string): Inbound | null {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isFields(frame) || !isText(frame.type)) return null;
  if (!Object.hasOwn(CHECKS, frame.type) || !CHECKS[frame.type]!(frame)) return null;
  return frame as unknown as Inbound;
}

export const MAX_TEXT_CHARACTERS = 4000;

/**
 * Make `text` fit for the wire: lone surrogates, which are not Unicode, are replaced.
 *
 * Throws RangeError when it is empty or too long (counted in code points).
 */
export function toChatText(text: string): string {
  const wellFormed = text.replace(/\p{Surrogate}/gu, '\uFFFD');
  const characters = [...wellFormed].length;
  if (characters < 1 || characters > MAX_TEXT_CHARACTERS) {
    throw new RangeError(`a message has 1 to ${MAX_TEXT_CHARACTERS} characters, this one ${characters}`);
  }
  return wellFormed;
}
