import { readAbout, readFiles, type About, type ChatFile } from './chat-content.js';
import type { ChatEvent } from './messages.js';

/** Who reacted: `by` is the user if the author came with a token. */
export interface Author {
  client_id: string;
  by?: string;
  /** As the token had it. */
  name?: string;
}

/** A message as the conversation shows it now; a change makes a new object. */
export interface ConversationMessage extends Author {
  seq: number;
  n: number;
  at: number;
  /** Empty if it is deleted or unreadable. */
  text: string;
  edited: boolean;
  deleted: boolean;
  unreadable: boolean;
  /** The message that this one answers: `find` has it if its part of the history was loaded. */
  replyTo: About | null;
  /** Emoji → who reacted with it, the earliest first. */
  reactions: ReadonlyMap<string, readonly Author[]>;
  files: readonly ChatFile[];
}

/** An event about another message, with the message it is about. */
interface Act {
  event: ChatEvent;
  about: About;
}

const ACTS = ['react', 'unreact', 'edit', 'delete'];

/**
 * The messages that the events of a log make: edited, deleted, with reactions and replies.
 *
 * What it shows depends on the events that it was given, and not on their order: a page of older
 * history may come after the acts about its messages. An event that is given twice counts once.
 * An act about a message that was not given yet, or that is itself an act, shows nothing. Of
 * several messages with the named client_id and n, the one with the lowest seq is meant.
 */
export class Conversation {
  /** The seqs of all events that were given. */
  private readonly given = new Set<number>();
  /** The events that are messages, in the order of the log. */
  private readonly order: ChatEvent[] = [];
  /** Messages by client_id and n; several if other users wrote under one client_id. */
  private readonly named = new Map<string, ChatEvent[]>();
  private readonly acts = new Map<string, Act[]>();
  private readonly shown = new Map<number, ConversationMessage>();
  private sorted: ConversationMessage[] | null = null;

  /** Add events of the log, in any order. */
  add(events: readonly ChatEvent[]): void {
    for (const event of events) this.addEvent(event);
  }

  /** Forget everything: the log is another one. */
  reset(): void {
    this.given.clear();
    this.order.length = 0;
    this.named.clear();
    this.acts.clear();
    this.shown.clear();
    this.sorted = null;
  }

  /** The messages, in the order of the log; those that did not change are the same objects. */
  get messages(): readonly ConversationMessage[] {
    this.sorted ??= this.order.map((event) => this.show(event));
    return this.sorted;
  }

  /** Return the message that `about` names; null if it was not given. */
  find(about: Pick<About, 'client_id' | 'n' | 'by'>): ConversationMessage | null {
    const target = this.findTarget(about);
    return target === null ? null : this.show(target);
  }

  private addEvent(event: ChatEvent): void {
    if (this.given.has(event.seq)) return;
    this.given.add(event.seq);
    this.sorted = null;
    const about = event.unreadable ? null : readAbout(event.about);
    const isAct = about !== null && ACTS.includes(about.kind);
    if (isAct) insert(listOf(this.acts, nameOf(about)), { event, about }, ({ event: { seq } }) => seq);
    else insert(this.order, event, seqOf);
    if (!isAct && !event.unreadable) insert(listOf(this.named, nameOf(event)), event, seqOf);
    // A message may take the place of a later one of its name: all of that name are shown again.
    for (const { seq } of this.named.get(nameOf(isAct ? about : event)) ?? []) this.shown.delete(seq);
  }

  private show(event: ChatEvent): ConversationMessage {
    const known = this.shown.get(event.seq);
    if (known !== undefined) return known;
    const acts = this.acts.get(nameOf(event)) ?? [];
    const message = showMessage(event, acts.filter((act) => this.isAbout(act, event)));
    this.shown.set(event.seq, message);
    return message;
  }

  private isAbout({ event, about }: Act, target: ChatEvent): boolean {
    if (target.unreadable) return false;
    return this.findTarget(about, isReaction(about) ? null : event) === target;
  }

  /** Return the first message of a name; with `author`, the first that it wrote. */
  private findTarget(about: Pick<About, 'client_id' | 'n' | 'by'>, author: ChatEvent | null = null): ChatEvent | null {
    const messages = this.named.get(nameOf(about)) ?? [];
    const isMeant = (message: ChatEvent): boolean =>
      (about.by === undefined || about.by === message.by) && (author === null || isSameAuthor(author, message));
    return messages.find(isMeant) ?? null;
  }
}

/** True if two were written by one author: a user with a token, or else one client_id. */
function isSameAuthor(one: Author, other: Author): boolean {
  if (one.by !== undefined || other.by !== undefined) return one.by === other.by;
  return one.client_id === other.client_id;
}

/** Return what a message looks like after the acts about it, which are in the order of the log. */
function showMessage(event: ChatEvent, acts: readonly Act[]): ConversationMessage {
  const about = event.unreadable ? null : readAbout(event.about);
  const { seq, client_id, n, at, by, name } = event;
  const message = { seq, client_id, n, at, ...(by !== undefined && { by }), ...(name !== undefined && { name }) };
  const unreadable = event.unreadable ?? false;
  const replyTo = about?.kind === 'reply' ? about : null;
  const deleted = acts.some(({ about: { kind } }) => kind === 'delete');
  if (deleted || unreadable) {
    return { ...message, text: '', edited: false, deleted, unreadable, replyTo, reactions: new Map(), files: [] };
  }
  const edit = acts.findLast(({ about: { kind } }) => kind === 'edit');
  const text = edit?.event.text ?? event.text;
  const [edited, reactions, files] = [edit !== undefined, countReactions(acts), readFiles(event.files)];
  return { ...message, text, edited, deleted, unreadable, replyTo, reactions, files };
}

function countReactions(acts: readonly Act[]): Map<string, Author[]> {
  const reactions = new Map<string, Map<string, Author>>();
  for (const { event, about } of acts.filter((act) => isReaction(act.about))) {
    const { client_id, by, name, text: emoji } = event;
    // A client_id has no slash.
    const key = by === undefined ? client_id : `${by}/`;
    const authors = reactions.get(emoji) ?? new Map<string, Author>();
    if (about.kind === 'unreact') authors.delete(key);
    else if (!authors.has(key)) authors.set(key, { client_id, ...(by !== undefined && { by }), ...(name !== undefined && { name }) });
    if (authors.size > 0) reactions.set(emoji, authors);
    else reactions.delete(emoji);
  }
  return new Map([...reactions].map(([emoji, authors]) => [emoji, [...authors.values()]]));
}

function isReaction({ kind }: About): boolean {
  return kind === 'react' || kind === 'unreact';
}

function nameOf({ client_id, n }: Pick<About, 'client_id' | 'n'>): string {
  return `${client_id} ${n}`;
}

function seqOf({ seq }: ChatEvent): number {
  return seq;
}

function listOf<Value>(lists: Map<string, Value[]>, name: string): Value[] {
  const list = lists.get(name) ?? [];
  lists.set(name, list);
  return list;
}

/** Insert a value in the order of the log; most are the newest. */
function insert<Value>(list: Value[], value: Value, seq: (value: Value) => number): void {
  const before = list.findLastIndex((other) => seq(other) < seq(value));
  list.splice(before + 1, 0, value);
}
