import type { ClientEvents, IsshoniClient } from '@isshoni/client';
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { makeRoomWhenFull } from '../src/models/full-canvas.js';

type Listeners = { [Name in keyof ClientEvents]?: (event: ClientEvents[Name]) => void };

/** A client with a document, and the events that a test makes. */
class Session {
  readonly doc = new Y.Doc();
  readonly elements = this.doc.getMap('elements');
  private readonly listeners: Listeners = {};

  constructor() {
    makeRoomWhenFull(this as unknown as IsshoniClient);
  }

  on<Name extends keyof ClientEvents>(name: Name, listener: Listeners[Name]): () => void {
    this.listeners[name] = listener;
    return () => undefined;
  }

  refuse(code: string): void {
    this.listeners.canvas_refused?.({ code, reason: 'of the test' });
  }

  restore(): void {
    this.listeners.status?.({ status: 'restored', server: null });
  }

  draw(id: string): void {
    this.elements.set(id, new Y.Map([['type', 'rectangle']]));
  }

  erase(id: string): void {
    (this.elements.get(id) as Y.Map<unknown>).set('isDeleted', true);
  }

  get ids(): string[] {
    return [...this.elements.keys()].sort();
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function start(): Session {
  const session = new Session();
  for (const id of ['a', 'b', 'c']) session.draw(id);
  session.elements.set('plain', { type: 'ellipse', isDeleted: true });
  session.erase('a');
  return session;
}

test('what is erased is deleted once the canvas is full, and while it is', async () => {
  const session = start();
  await settle();
  expect(session.ids).toEqual(['a', 'b', 'c', 'plain']);
  session.refuse('canvas_full');
  await settle();
  expect(session.ids).toEqual(['b', 'c']);
  session.erase('b');
  await settle();
  expect(session.ids).toEqual(['c']);
});

test('a mark stays a mark where the canvas is not full, or takes changes again', async () => {
  const session = start();
  session.refuse('too_large');
  await settle();
  expect(session.ids).toContain('a');
  session.refuse('canvas_full');
  await settle();
  session.restore();
  session.erase('c');
  await settle();
  expect(session.ids).toEqual(['b', 'c']);
});

test('undo does not bring back what was deleted to make room', async () => {
  const session = start();
  const undo = new Y.UndoManager(session.elements, { trackedOrigins: new Set(['user']) });
  session.doc.transact(() => session.erase('b'), 'user');
  session.refuse('canvas_full');
  await settle();
  undo.undo();
  expect(session.ids).toEqual(['c']);
});
