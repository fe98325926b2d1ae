import type { IsshoniClient } from '@isshoni/client';
import type * as Y from 'yjs';
import { language, t } from '../i18n.js';
import { Observable } from '../observable.js';
import { toName } from '../preferences.js';

export interface Person {
  clientId: string;
  name: string;
}

/** Where a user is: with the pointer over the canvas, elsewhere on the page, or in another tab. */
export type Place = 'onCanvas' | 'onPage' | 'elsewhere';

/** A user's entry in the document; `tint` is the number of the user's colour. */
interface Entry {
  name: string;
  tint: number;
}

/** An entry as it is stored: `tint` for earlier versions, `colour` for this one. */
interface StoredEntry extends Entry {
  colour: number;
}

const TINTS = 12;
/** Earlier versions ignore an entry whose `tint` is not below this. */
const EARLIER_TINTS = 8;

/** A user's pointer on the canvas, and the elements selected. */
export interface Pointer {
  x: number;
  y: number;
  down: boolean;
  laser: boolean;
  selected: string[];
}

/** Most selected elements that are shown to others: the server accepts 64 KiB of awareness. */
const MOST_SELECTED = 200;

/**
 * The users of the session: who is present (from awareness, which expires), and their names
 * (from a map in the document, as the chat also shows the names of users who have left).
 */
export class People extends Observable {
  private readonly entries: Y.Map<unknown>;
  private shown = '';
  /** True once the document has all that the server had. */
  private isSynced = false;
  private cache: { version: number; speak: string; text: string } | null = null;

  constructor(private readonly client: IsshoniClient) {
    super();
    this.entries = client.doc.getMap('people');
    this.entries.observe(this.changed);
    client.on('synced', () => (this.isSynced = true));
    client.awareness.on('change', () => this.noticePresence());
  }

  /**
   * Set this user's name, and publish it; a name in the token goes before it.
   *
   * Before the first sync it is not written to the document: which colours are taken is not known yet.
   */
  introduce(chosen: string): void {
    const { clientId, awareness, permit, server } = this.client;
    const name = toName(permit?.name ?? '') || chosen;
    awareness.setLocalState({ ...awareness.getLocalState(), client_id: clientId, name });
    // A reader's write would stay unsaved for ever; before the first restore the role is unknown.
    if (!this.isSynced || server === null || permit?.role === 'read') return;
    const known = toEntry(this.entries.get(clientId));
    if (name === '' || known?.name === name) return;
    const colour = known?.tint ?? this.rarestTint();
    this.entries.set(clientId, { name, tint: colour % EARLIER_TINTS, colour } satisfies StoredEntry);
  }

  nameOf(clientId: string): string {
    const name = toEntry(this.entries.get(clientId))?.name ?? this.nameSaidBy(clientId);
    return name ?? `${t('guest')} ${clientId.slice(-3)}`;
  }

  /** The name in a user's awareness: readers cannot write theirs into the document. */
  private nameSaidBy(clientId: string): string | undefined {
    const said = [...this.client.awareness.getStates().values()].find(({ client_id }) => client_id === clientId);
    return typeof said?.name === 'string' ? toName(said.name) || undefined : undefined;
  }

  /** The number of a user's colour. */
  tintOf(clientId: string): number {
    return toEntry(this.entries.get(clientId))?.tint ?? 0;
  }

  /**
   * Return all known users as JSON of [clientId, name, tint], those who have left included.
   *
   * It is another text only when a user, a name or a colour changed.
   */
  known(): string {
    const [version, speak] = [this.version(), language()];
    if (this.cache?.version !== version || this.cache.speak !== speak) {
      const ids = new Set([...this.entries.keys(), ...this.present().map(({ clientId }) => clientId)]);
      const text = JSON.stringify([...ids].map((id) => [id, this.nameOf(id), this.tintOf(id)]));
      this.cache = { version, speak, text };
    }
    return this.cache.text;
  }

  /** The names of all users but this one. */
  othersNames(): string[] {
    const own = this.nameOf(this.client.clientId);
    return (JSON.parse(this.known()) as [string, string, number][]).map(([, name]) => name).filter((name) => name !== own);
  }

  /** The users present, this one first; a user with two connections is listed once. */
  present(): Person[] {
    const { clientId } = this.client;
    const here = new Set([clientId]);
    for (const state of this.client.awareness.getStates().values()) {
      if (typeof state.client_id === 'string') here.add(state.client_id);
    }
    return [...here].map((id) => ({ clientId: id, name: this.nameOf(id) }));
  }

  /** Publish whether this user is in another tab. */
  showAway(away: boolean): void {
    this.client.awareness.setLocalStateField('away', away);
  }

  /** Return where a user is; a user with two connections is where the nearer one is. */
  placeOf(clientId: string): Place {
    const states = [...this.client.awareness.getStates().values()].filter(({ client_id }) => client_id === clientId);
    if (states.some(({ pointer, away }) => toPointer(pointer) !== null && away !== true)) return 'onCanvas';
    return states.every(({ away }) => away === true) ? 'elsewhere' : 'onPage';
  }

  /** Publish this user's pointer; null while it is not over the canvas. */
  showPointer(pointer: Pointer | null): void {
    const selected = pointer?.selected.slice(0, MOST_SELECTED);
    this.client.awareness.setLocalStateField('pointer', pointer && { ...pointer, selected });
  }

  /** Call `listener` when a pointer has moved; returns a function that stops it. */
  observePointers(listener: () => void): () => void {
    const { awareness } = this.client;
    awareness.on('change', listener);
    return () => awareness.off('change', listener);
  }

  /** The other users whose pointer is over the canvas. */
  pointers(): (Person & { pointer: Pointer })[] {
    const { clientId, awareness } = this.client;
    const found: (Person & { pointer: Pointer })[] = [];
    for (const state of awareness.getStates().values()) {
      const pointer = toPointer(state.pointer);
      const id: unknown = state.client_id;
      if (pointer === null || typeof id !== 'string' || id === clientId) continue;
      found.push({ clientId: id, name: this.nameOf(id), pointer });
    }
    return found;
  }

  /** Notify listeners if a user came, left, was renamed or went elsewhere: awareness changes with each pointer move. */
  private noticePresence(): void {
    const present = JSON.stringify(this.present().map((person) => [person, this.placeOf(person.clientId)]));
    if (present === this.shown) return;
    this.shown = present;
    this.changed();
  }

  private rarestTint(): number {
    const uses = new Array<number>(TINTS).fill(0);
    for (const value of this.entries.values()) {
      const entry = toEntry(value);
      if (entry !== null) uses[entry.tint]! += 1;
    }
    return uses.indexOf(Math.min(...uses));
  }
}

/** Return a value of the map as an entry; null if it is malformed: any client may write anything. */
function toEntry(value: unknown): Entry | null {
  const entry = value as Partial<StoredEntry> | null | undefined;
  const name = typeof entry?.name === 'string' ? toName(entry.name) : '';
  const tint = entry?.colour ?? entry?.tint ?? -1;
  return name !== '' && Number.isInteger(tint) && tint >= 0 && tint < TINTS ? { name, tint } : null;
}

function toPointer(value: unknown): Pointer | null {
  const { x, y, down, laser, selected } = (value ?? {}) as Partial<Record<keyof Pointer, unknown>>;
  if (!Number.isFinite(x) || !Number.isFinite(y)) return null;
  const ids = Array.isArray(selected) ? selected.slice(0, MOST_SELECTED).filter((id) => typeof id === 'string') : [];
  return { x: Number(x), y: Number(y), down: down === true, laser: laser === true, selected: ids };
}
