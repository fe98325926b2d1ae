/** Lives of one client_id: reloads, crashes at any moment, and two at a time. */
import { expect, test, vi } from 'vitest';
import { type IsshoniClient, memoryStorage, type SessionStore, type StoredSession } from '../src/index.js';
import type { StubServer } from './stub-server.js';
import { restored, saved, until, useStubSession } from './stub-session.js';

vi.setConfig({ testTimeout: 30_000 });

let server: StubServer;
const { create, logged } = useStubSession((started) => (server = started));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const written = (clientId: string, count: number): void => {
  for (let n = 1; n <= count; n += 1) server.state.log.push({ client_id: clientId, n, text: `old ${n}`, at: 1 });
};

/** A store as a browser's: what is saved is written later, and a crash loses what is not. */
class LateStore implements SessionStore {
  private last: StoredSession | null;
  private crashed = false;

  constructor(
    public durable: StoredSession | null,
    private readonly random: () => number,
  ) {
    this.last = structuredClone(durable);
  }

  load(): StoredSession | null {
    return structuredClone(this.durable);
  }

  save(session: StoredSession): void {
    this.last = structuredClone(session);
    if (this.random() < 0.3) this.write();
  }

  async stored(): Promise<void> {
    await pause(this.random() * 6);
    this.write();
  }

  crash(): void {
    this.crashed = true;
  }

  private write(): void {
    if (!this.crashed) this.durable = structuredClone(this.last);
  }
}

const idle = (clientId: string, last_n = 0): StoredSession => ({
  outbox: { client_id: clientId, last_n, pending: [] },
  generation: 1,
});

/** A small generator of numbers in [0, 1), the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed * 2654435761;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0;
    return state / 2 ** 32;
  };
}

test('what is typed after a reload, before the restore is answered, gets into the log', async () => {
  written('c-reloaded', 10);
  const store = memoryStorage();
  store.save(idle('c-reloaded'));
  server.delayMs = () => 30;
  const client = create(store);
  const numbered: [number, number][] = [];
  client.on('numbered', ({ changes }) => numbered.push(...changes));
  client.connect();
  client.send('one');
  client.send('two');
  expect(client.unsaved.messages).toBe(2);
  await saved(client);
  expect(logged().slice(10)).toEqual(['one', 'two']);
  expect(server.state.log.slice(10).map(({ n }) => n)).toEqual([11, 12]);
  expect(numbered).toEqual([[1, 11], [2, 12]]);
});

test('what was typed before a restore in a life that ended there is numbered by the next one', async () => {
  written('c-reloaded', 10);
  const store = memoryStorage();
  store.save(idle('c-reloaded'));
  create(store).send('of the first life');
  const client = create(store);
  client.send('of the second');
  client.connect();
  await saved(client);
  expect(logged().slice(10)).toEqual(['of the first life', 'of the second']);
});

test('a message of an earlier life that was still under way takes its number, and costs none of ours', async () => {
  written('c-reloaded', 3);
  const store = memoryStorage();
  store.save(idle('c-reloaded'));
  let late = true;
  server.fault = (connection, frame) => {
    if (frame.type !== 'chat' || !late) return false;
    late = false;
    const { log } = server.state;
    log.push({ client_id: 'c-reloaded', n: 4, text: 'of the earlier life', at: 1 });
    setTimeout(() => connection.send(server.state.event(3)), 20);
    return false;
  };
  const client = create(store);
  client.connect();
  await restored(client);
  for (const text of ['one', 'two', 'three']) client.send(text);
  await saved(client);
  expect(logged().slice(3)).toEqual(['of the earlier life', 'one', 'two', 'three']);
});

test('a late message of an earlier life changes no order while the log is slow', async () => {
  written('c-reloaded', 3);
  const store = memoryStorage();
  store.save(idle('c-reloaded'));
  server.delayMs = () => 300;
  let isLate = true;
  server.fault = (connection, frame) => {
    // Later than the second that a new life begins with.
    if (frame.text !== 'd' || !isLate) return false;
    isLate = false;
    const { log } = server.state;
    const n = server.state.lastN('c-reloaded') + 1;
    log.push({ client_id: 'c-reloaded', n, text: 'of the earlier life', at: 1 });
    connection.send(server.state.event(log.length - 1));
    return false;
  };
  const client = create(store);
  client.connect();
  await restored(client);
  for (const text of 'abcdef') client.send(text);
  await saved(client);
  expect(logged().filter((text) => text.length === 1).join('')).toBe('abcdef');
});

test('an event that never comes is asked for, and holds nothing up', async () => {
  written('c-1', 1);
  const store = memoryStorage();
  store.save({ outbox: { client_id: 'c-1', last_n: 2, pending: [{ n: 2, text: 'sent before' }], sent_n: 2 }, generation: 1 });
  server.fault = (connection, frame) => {
    if (frame.type !== 'chat') return false;
    server.fault = null;
    server.state.log.push({ client_id: 'c-1', n: 2, text: 'sent before', at: 1 });
    connection.send({ type: 'ack', n: 2, seq: null });
    return true;
  };
  const client = create(store);
  client.connect();
  await restored(client);
  client.send('next');
  await saved(client);
  expect(logged().slice(1)).toEqual(['sent before', 'next']);
});

test.each([
  ['goes back to its author where the log cannot show what came since', 100, ['new'], ['sent long ago']],
  ['is sent where the log shows that it never came', 0, ['sent long ago', 'new'], []],
])('what may have been sent to a log that forgot us %s', async (_, forgetsBefore, sent, givenBack) => {
  written('c-other', 300);
  server.state.forgetsBefore = forgetsBefore;
  const store = memoryStorage();
  const sent_at = { epoch: 'epoch-1', seq: 3 };
  const outbox = { client_id: 'c-away', last_n: 12, pending: [{ n: 12, text: 'sent long ago' }], sent_n: 12, sent_at };
  store.save({ outbox, generation: 1 });
  const client = create(store);
  const doubtful: string[] = [];
  client.on('doubtful', ({ text }) => doubtful.push(text));
  client.connect();
  client.send('new');
  await saved(client);
  expect(logged().slice(300)).toEqual(sent);
  expect(doubtful).toEqual(givenBack);
});

test.each([
  ['', false],
  [', also if the connection is cut while it asks', true],
])('a number that another life used beyond the history acknowledges nothing%s', async (_, isCut) => {
  let isFirst = isCut;
  server.fault = (connection, frame) => {
    const position = frame.position as { seq: number } | undefined;
    if (!isFirst || position?.seq !== 1) return false;
    isFirst = false;
    connection.socket.terminate();
    return true;
  };
  written('c-twice', 3);
  for (let n = 1; n <= 300; n += 1) server.state.log.push({ client_id: 'c-other', n, text: `other ${n}`, at: 1 });
  const store = memoryStorage();
  const pending = [{ n: 2, text: 'mine' }, { n: 3, text: 'mine too' }];
  const sent_at = { epoch: 'epoch-1', seq: 1 };
  store.save({ outbox: { client_id: 'c-twice', last_n: 3, pending, sent_n: 3, sent_at }, generation: 1 });
  const client = create(store);
  client.connect();
  await saved(client);
  expect(logged().slice(303).sort()).toEqual(['mine', 'mine too']);
  expect(isFirst).toBe(false);
});

test('somebody else’s message under our name, with a token, is not ours', async () => {
  server.permit = { subject: 'ann', role: 'write', expires_in_ms: null, name: null };
  const client = create(memoryStorage());
  client.connect();
  await restored(client);
  server.fault = (_, frame) => frame.type === 'chat';
  client.send('mine');
  const event = { type: 'chat', seq: 1, client_id: client.clientId, n: 1, text: 'not hers', at: 1, by: 'bob' };
  server.connections[0]!.send(event);
  await pause(30);
  expect(client.pending).toEqual([{ n: 1, text: 'mine' }]);
});

interface Life {
  client: IsshoniClient;
  store: LateStore;
  typed: string[];
  /** What this life saw acknowledged. */
  acknowledged: () => string[];
}

function begin(store: LateStore): Life {
  const client = create(store);
  const typed: string[] = client.pending.map(({ text }) => text);
  const acknowledged = (): string[] => {
    const waiting = new Set(client.pending.map(({ text }) => text));
    return typed.filter((text) => !waiting.has(text));
  };
  client.connect();
  return { client, store, typed, acknowledged };
}

const countOf = (text: string): number => logged().filter((one) => one === text).length;

test.each([1, 2, 3, 4, 5, 6])('whenever a life ends, nothing acknowledged or kept is lost or doubled (%i)', async (seed) => {
  const random = seeded(seed);
  server.delayMs = () => (random() < 0.5 ? 0 : random() * 15);
  const owed = new Set<string>();
  const lives: string[][] = [];
  let store = new LateStore(idle('c-many-lives'), random);
  for (let number = 1; number <= 25; number += 1) {
    const life = begin(store);
    for (let count = 0; count < 6; count += 1) {
      const text = `life ${number} says ${count}`;
      life.client.send(text);
      life.typed.push(text);
      if (random() < 0.6) await pause(random() * 12);
    }
    store.crash();
    life.acknowledged().forEach((text) => owed.add(text));
    store.durable?.outbox.pending.forEach(({ text }) => owed.add(text));
    lives.push(life.typed);
    life.client.close();
    store = new LateStore(store.durable, random);
  }
  server.delayMs = () => 0;
  const last = begin(store);
  await until(() => expect(last.client.unsaved.messages).toBe(0));
  await pause(50);
  expect([...owed].filter((text) => countOf(text) !== 1)).toEqual([]);
  expect(logged()).toHaveLength(new Set(logged()).size);
  for (const typed of lives) {
    const inLog = logged().filter((text) => typed.includes(text));
    expect(inLog).toEqual(typed.filter((text) => inLog.includes(text)));
  }
});

test.each([1, 2, 3])('two at a time under one name lose nothing and double nothing (%i)', async (seed) => {
  const random = seeded(seed);
  server.delayMs = () => random() * 8;
  const twins = [1, 2, 3].map(() => begin(new LateStore(idle('c-twin'), random)));
  for (let count = 0; count < 20; count += 1) {
    for (const [number, twin] of twins.entries()) {
      const text = `twin ${number} says ${count}`;
      twin.client.send(text);
      twin.typed.push(text);
    }
    if (random() < 0.7) await pause(random() * 10);
  }
  await until(() => twins.forEach(({ client }) => expect(client.unsaved.messages).toBe(0)));
  await pause(100);
  await until(() => twins.forEach(({ client }) => expect(client.unsaved.messages).toBe(0)));
  expect([...logged()].sort()).toEqual(twins.flatMap(({ typed }) => typed).sort());
});
