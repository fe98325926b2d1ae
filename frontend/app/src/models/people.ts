import type { IsshoniClient } from '@isshoni/client';
import type * as Y from 'yjs';
import { t } from '../i18n.js';
import { toName } from '../preferences.js';

export interface Person {
  clientId: string;
  name: string;
}

export interface PenTip extends Person {
  x: number;
  y: number;
}

/**
 * Who is here (awareness: it fades), and what everybody is called (a map in the
 * document: it stays, for the chat names those who left).
 */
export class People {
  private readonly names: Y.Map<unknown>;

  constructor(private readonly client: IsshoniClient) {
    this.names = client.doc.getMap('people');
  }

  /** Take a name, and tell the others. */
  introduce(name: string): void {
    const { clientId, awareness } = this.client;
    awareness.setLocalState({ client_id: clientId, name });
    const known = this.names.get(clientId);
    if (name !== '' && known !== name) this.names.set(clientId, name);
  }

  nameOf(clientId: string): string {
    const name = this.names.get(clientId);
    const tidy = typeof name === 'string' ? toName(name) : '';
    return tidy || `${t('guest')} ${clientId.slice(-3)}`;
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
    this.names.observe(changed);
    this.client.awareness.on('change', changed);
    return () => {
      this.names.unobserve(changed);
      this.client.awareness.off('change', changed);
    };
  }
}

const TINTS = 8;

/** Give the number of the tint that stands for a person. */
export function tintOf(clientId: string): number {
  let sum = 0;
  for (const character of clientId) sum = (sum * 31 + character.charCodeAt(0)) % 65_521;
  return sum % TINTS;
}
