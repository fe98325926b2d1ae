/** What a chat message may carry beside its text. */

/** The text of a deletion, for a client that does not know deletions. */
export const DELETED_TEXT = '(deleted)';
export const MAX_FILES = 8;
export const MAX_EMOJI_CHARACTERS = 32;
const MAX_FILE_NAME_CHARACTERS = 255;
const MAX_FILE_TYPE_CHARACTERS = 127;
const MAX_SUBJECT_CHARACTERS = 256;

/** What a message may do to another one; a later version may know more. */
export type Kind = 'reply' | 'react' | 'unreact' | 'edit' | 'delete';

/** The message that another one answers, changes or reacts to. */
export interface About {
  kind: string;
  client_id: string;
  /** With `client_id` the idempotency key of that message: its seq may change after a failover. */
  n: number;
  /** The user who wrote that message, if it has one: others can use its client_id. */
  by?: string;
}

/** A file of the session that a message names. */
export interface ChatFile {
  id: string;
  name: string;
  /** Its media type, as its sender said; not to be trusted. */
  type: string;
  bytes: number;
}

export interface Extras {
  about?: About;
  files?: readonly ChatFile[];
}

export interface ChatContent extends Extras {
  text: string;
}

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isIdentifier = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);

function isText(value: unknown, least: number, most: number): value is string {
  if (typeof value !== 'string') return false;
  // Characters are code points, as on the server.
  const characters = value.length <= most ? value.length : [...value].length;
  return characters >= least && characters <= most;
}

/**
 * Return the `about` of an event; null if it has none that this version understands.
 *
 * A log may have fields that a later version wrote in another form: such an event is read as
 * a plain message.
 */
export function readAbout(raw: unknown): About | null {
  if (!isFields(raw)) return null;
  const { kind, client_id, n } = raw;
  const by = raw.by ?? undefined;
  if (typeof kind !== 'string' || !/^[a-z]{1,16}$/.test(kind)) return null;
  if (!isIdentifier(client_id) || !isNatural(n) || n < 1) return null;
  if (by === undefined) return { kind, client_id, n };
  return isText(by, 1, MAX_SUBJECT_CHARACTERS) ? { kind, client_id, n, by } : null;
}

/** Return the `files` of an event; none if this version does not understand them. */
export function readFiles(raw: unknown): ChatFile[] {
  if (!Array.isArray(raw) || raw.length > MAX_FILES) return [];
  const files = raw.map(readFile);
  return files.includes(null) ? [] : (files as ChatFile[]);
}

function readFile(raw: unknown): ChatFile | null {
  if (!isFields(raw)) return null;
  const { id, name, type = '', bytes = 0 } = raw;
  const isFile =
    isIdentifier(id) && isText(name, 1, MAX_FILE_NAME_CHARACTERS) && isText(type, 0, MAX_FILE_TYPE_CHARACTERS) && isNatural(bytes);
  return isFile ? { id, name, type, bytes } : null;
}

/**
 * True if the log's message can be ours, to judge by its content.
 *
 * A server of a version before `about` and `files` writes the text alone: a message without them
 * can be ours. Fields that servers add later do not count.
 */
export function isSameContent(ours: ChatContent, logged: ChatContent): boolean {
  if (ours.text !== logged.text) return false;
  const [about, files] = [readAbout(logged.about), readFiles(logged.files)];
  if (about === null && files.length === 0) return true;
  const ids = (list: readonly ChatFile[]): string => list.map(({ id }) => id).join();
  return isSameAbout(about, readAbout(ours.about)) && ids(files) === ids(readFiles(ours.files));
}

function isSameAbout(one: About | null, other: About | null): boolean {
  if (one === null || other === null) return one === other;
  return one.kind === other.kind && one.client_id === other.client_id && one.n === other.n && one.by === other.by;
}

/**
 * Check what the server would refuse for good; throws RangeError.
 *
 * Returns the extras without what is empty.
 */
export function checkExtras(text: string, { about, files = [] }: Extras): Extras {
  if (about !== undefined && readAbout(about) === null) {
    throw new RangeError(`about ${JSON.stringify(about)} does not name a message: it has a kind, a client_id and an n`);
  }
  const reacts = about?.kind === 'react' || about?.kind === 'unreact';
  if (reacts && !isText(text, 1, MAX_EMOJI_CHARACTERS)) {
    throw new RangeError(`a reaction has 1 to ${MAX_EMOJI_CHARACTERS} characters, this one ${[...text].length}`);
  }
  if (files.length > MAX_FILES) throw new RangeError(`a message has at most ${MAX_FILES} files, this one ${files.length}`);
  const wrong = files.find((file) => readFile(file) === null);
  if (wrong !== undefined) throw new RangeError(`a file needs an id, a name of 1 to 255 characters and its bytes, unlike ${JSON.stringify(wrong)}`);
  return { ...(about && { about }), ...(files.length > 0 && { files }) };
}
