import type { IsshoniClient } from '@isshoni/client';
import type * as Y from 'yjs';
import { t } from '../i18n.js';
import { toName } from '../preferences.js';

export interface Person {
  clientId: string;
  name: string;
}

/** What the document keeps of a person. */
interface Entry {
  name: string;
  tint: number;
}

const TINTS = 8;

export interface PenTip extends Person {
  x: number;
  y: number;
}

/**
 * Who is here (awareness: it fades), and what everybody is called (a map in the
 * document: it stays, for the chat names those who left).
 */
export class People {
  private readonly entries: Y.Map<unknown>;

  constructor(private readonly client: IsshoniClient) {
    this.entries = client.doc.getMap('people');
  }

  /** Take a name, and tell the others. */
  introduce(name: string): void {
    const { clientId, awareness } = this.client;
    awareness.setLocalState({ client_id: clientId, name });
    const known = toEntry(this.entries.get(clientId));
    if (name === '' || known?.name === name) return;
    this.entries.set(clientId, { name, tint: known?.tint ?? this.rarestTint() } satisfies Entry);
  }

  nameOf(clientId: string): string {
    const name = toEntry(this.entries.get(clientId))?.name;
    return name ?? `${t('guest')} ${clientId.slice(-3)}`;
  }

  /** The number of the tint that stands for a person. */
  tintOf(clientId: string): number {
    return toEntry(this.entries.get(clientId))?.tint ?? 0;
  }

  /** Everybody here, oneself first; a person's second connection counts once. */
  present(): Person[] {
    const { clientId } = this.client;
    const here = new Set([clientId]);
    for (const state of this.client.awareness.getStates().values()) {
      if (typeof state.client_id === 'string') here.add(state.client_id);
    }
    return [...here].map((id) => ({ clientId: id, name: this.nameOf(id) }));
  }

  /** Show the others where one's pen is; null when it is lifted. */
  showPen(tip: { x: number; y: number } | null): void {
    this.client.awareness.setLocalStateField('pen', tip);
  }

  penTips(): PenTip[] {
    const { clientId, awareness } = this.client;
    const tips: PenTip[] = [];
    for (const state of awareness.getStates().values()) {
      const pen = state.pen as { x?: unknown; y?: unknown } | null | undefined;
      const id: unknown = state.client_id;
      if (typeof id !== 'string' || id === clientId) continue;
      if (typeof pen?.x !== 'number' || typeof pen.y !== 'number') continue;
      tips.push({ clientId: id, name: this.nameOf(id), x: pen.x, y: pen.y });
    }
    return tips;
  }

  /** Call `changed` when someone comes, goes or is renamed; returns a function that stops it. */
  observe(changed: () => void): () => void {
    this.entries.observe(changed);
    this.client.awareness.on('change', changed);
    return () => {
      this.entries.unobserve(changed);
      this.client.awareness.off('change', changed);
    };
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

/** Take a value of the map for an entry; null for what is none, for anyone may write anything. */
function toEntry(value: unknown): Entry | null {
  const entry = value as Partial<Entry> | null | undefined;
  const name = typeof entry?.name === 'string' ? toName(entry.name) : '';
  const tint = entry?.tint ?? -1;
  return name !== '' && Number.isInteger(tint) && tint >= 0 && tint < TINTS ? { name, tint } : null;
}
