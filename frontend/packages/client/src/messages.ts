/** The text frames of docs/protocol.md, as a client sees them. */
import type { About, ChatFile } from './chat-content.js';

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
  /** Who the author's token said it was; nothing for a guest. */
  by?: string;
  /** The author's name, as that token had it. */
  name?: string;
  /** An entry that this server cannot read: it has a place, and no text. */
  unreadable?: boolean;
  /** As the log has it, in whatever form: `Conversation` reads it. */
  about?: About;
  /** As the log has it, in whatever form: `Conversation` reads it. */
  files?: readonly ChatFile[];
}

/** An event as it came, with the server's mark and fields that we do not know. */
export type RawEvent = Pick<ChatEvent, 'type' | 'seq'>;

export interface HistoryPage {
  /** Oldest first. */
  messages: ChatEvent[];
  /** Whether the log still holds older ones. */
  more: boolean;
}

export interface Permit {
  /** Null for a guest. */
  subject: string | null;
  role: 'read' | 'write';
  /** Null: never. */
  expires_in_ms: number | null;
  name: string | null;
}

export interface ServerIdentity {
  version: string;
  colour: string;
  heartbeat_seconds: number;
  /** Nothing without regions. */
  region?: string;
}

export interface SessionRestored {
  type: 'session_restored';
  mode: 'replay' | 'full';
  position: Position;
  last_n: number;
  chat_history: ChatEvent[];
  server: ServerIdentity;
  /** Nothing from a server that knows no tokens. */
  permit?: Permit | null;
  /** Missing from a server that accepts frames of 1 MiB. */
  limits?: { frame_bytes: number };
  /** What chat messages may carry; missing from a server of a version before `about`. */
  features?: unknown;
  /** The origins of the other regions; these three are missing without regions. */
  alternatives?: unknown;
  region?: string;
  region_proof?: unknown;
}

/** A restore by a server that speaks a later version of the protocol than this client. */
export interface OtherProtocol {
  type: 'other_protocol';
}

export interface Migrate {
  type: 'migrate';
  to: string;
  ticket: string;
  /** The origin of the region to move to; missing for a move within this one. */
  address?: string;
}

export interface ServerError {
  type: 'error';
  code: string;
  message: string;
  n?: number;
  expected?: number;
  retry_after_ms?: number;
}

export type Inbound =
  | SessionRestored | OtherProtocol
  | ChatEvent
  | Migrate
  | ServerError
  /** `seq` is null for a resend. */
  | { type: 'ack'; n: number; seq?: number | null }
  | { type: 'saved'; updates: number }
  | { type: 'history'; chat_history: ChatEvent[]; more: boolean }
  | { type: 'recall'; epoch: string; after: number }
  | { type: 'authenticated'; permit: Permit }
  | { type: 'pong' };

/** True if an error is temporary: the same question may be answered soon. */
export function isForNow({ code }: ServerError): boolean {
  return code === 'not_ready' || code === 'rate_limited';
}

/** True if an error refuses a change to the canvas for good. */
export function isOfCanvas({ code, n }: ServerError): boolean {
  return n === undefined && (code === 'canvas_full' || code === 'read_only');
}

/** Return what chat messages may carry on a server. */
export function readFeatures({ features }: SessionRestored): string[] {
  return Array.isArray(features) ? features.filter(isText) : [];
}

/** True if two are one version of one colour. */
export function isSameServer(one: ServerIdentity, other: ServerIdentity): boolean {
  return one.version === other.version && one.colour === other.colour && one.region === other.region;
}

/** Return who answered a restore. */
export const identify = ({ server, region }: SessionRestored): ServerIdentity => (region ? { ...server, region } : server);

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
    server.heartbeat_seconds > 0 &&
    (frame.permit === undefined || frame.permit === null || isPermit(frame.permit)) &&
    (frame.limits === undefined || (isFields(frame.limits) && isCount(frame.limits.frame_bytes)))
  );
}

function isPermit(permit: unknown): boolean {
  return (
    isFields(permit) &&
    (permit.subject === null || isText(permit.subject)) &&
    isText(permit.role) &&
    (permit.expires_in_ms === null || isCount(permit.expires_in_ms))
  );
}

/** The version of docs/protocol.md that this client speaks. */
const PROTOCOL_VERSION = 1;

const CHECKS: Record<string, (frame: Fields) => boolean> = {
  session_restored: isSessionRestored,
  chat: isChatEvent,
  migrate: (frame) => isText(frame.to) && isText(frame.ticket),
  error: (frame) => isText(frame.code) && isText(frame.message),
  ack: (frame) => isCount(frame.n),
  saved: (frame) => isCount(frame.updates),
  history: (frame) => Array.isArray(frame.chat_history) && frame.chat_history.every(isChatEvent),
  recall: (frame) => isText(frame.epoch) && isCount(frame.after),
  authenticated: (frame) => isPermit(frame.permit),
  pong: () => true,
};

/**
 * Parse one text frame from the server; `events` has several chat events in it.
 *
 * Returns nothing for what this client does not know or cannot use: a newer server
 * may say more than we understand, and that must not end the connection.
 */
export function parseFrame(text: string): Inbound[] {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return [];
  }
  if (!isFields(frame)) return [];
  if (isOfLaterProtocol(frame)) return [{ type: 'other_protocol' }];
  if (frame.type !== 'events') return isInbound(frame) ? [frame] : [];
  // An event that cannot be read loses no other.
  return Array.isArray(frame.events) ? (frame.events as unknown[]).filter(isChat) : [];
}

/** True for a restore in a later protocol: whatever else is in it need not be what it was. */
function isOfLaterProtocol({ type, protocol }: Fields): boolean {
  return type === 'session_restored' && isCount(protocol) && protocol > PROTOCOL_VERSION;
}

function isInbound(frame: Fields): frame is Fields & Inbound {
  return isText(frame.type) && Object.hasOwn(CHECKS, frame.type) && CHECKS[frame.type]!(frame);
}

function isChat(event: unknown): event is ChatEvent {
  return isChatEvent(event) && (event as Fields).type === 'chat';
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
