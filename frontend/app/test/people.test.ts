import type { IsshoniClient } from '@isshoni/client';
import { expect, test } from 'vitest';
import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { People } from '../src/models/people.js';

interface Stored {
  name: string;
  tint: number;
  colour: number;
}

/** A client that the server has let in, and whose document is not synced yet. */
class FakeClient {
  readonly doc = new Y.Doc();
  readonly awareness = new Awareness(this.doc);
  readonly server = {};
  readonly permit = null;
  readonly people: People;
  private readonly listeners: (() => void)[] = [];

  constructor(readonly clientId: string) {
    this.people = new People(this as unknown as IsshoniClient);
  }

  on(name: string, listener: () => void): void {
    if (name === 'synced') this.listeners.push(listener);
  }

  sync(server: Y.Doc): void {
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(server));
    this.listeners.forEach((listener) => listener());
  }

  leave(server: Y.Doc): void {
    Y.applyUpdate(server, Y.encodeStateAsUpdate(this.doc));
    this.awareness.destroy();
  }
}

const storedIn = (doc: Y.Doc): Stored[] => [...doc.getMap<Stored>('people').values()];

test('twelve users have twelve colours, and an earlier version can read each', () => {
  const server = new Y.Doc();
  for (let at = 0; at < 11; at += 1) {
    const client = new FakeClient(`c-${at}`);
    client.sync(server);
    client.people.introduce(`User ${at}`);
    client.leave(server);
  }
  server.getMap('people').set('of-an-earlier-version', { name: 'Old', tint: 7 });
  const last = new FakeClient('c-last');
  last.sync(server);
  last.people.introduce('Last');
  last.leave(server);
  const entries = storedIn(server);
  expect(entries).toHaveLength(13);
  expect(new Set(entries.map(({ tint, colour }) => colour ?? tint)).size).toBe(12);
  expect(entries.every(({ tint }) => tint < 8)).toBe(true);
});

test('a user who says a name before the first sync gets a colour that is free after it', () => {
  const server = new Y.Doc();
  const [ann, bo] = [new FakeClient('c-ann'), new FakeClient('c-bo')];
  ann.sync(server);
  ann.people.introduce('Ann');
  ann.leave(server);
  bo.people.introduce('Bo');
  expect(bo.awareness.getLocalState()).toMatchObject({ name: 'Bo' });
  expect(storedIn(bo.doc)).toEqual([]);
  bo.sync(server);
  bo.people.introduce('Bo');
  bo.leave(server);
  expect(storedIn(server).map(({ colour }) => colour)).toEqual([0, 1]);
});
