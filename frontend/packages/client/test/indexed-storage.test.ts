import 'fake-indexeddb/auto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { claim } from '../src/claims.js';
import { indexedStorage, IsshoniClient } from '../src/index.js';
import { KeptRecords } from '../src/kept-records.js';
import { KeptSession } from '../src/kept-session.js';
import type { StoredSession } from '../src/storage.js';
import { QUICKLY, StubServer } from './stub-server.js';

vi.setConfig({ testTimeout: 20_000 });

let server: StubServer;
let space: string;
let spaces = 0;
const clients: IsshoniClient[] = [];

/** The locks of a browser, as far as they are used. */
class Locks {
  private readonly held = new Map<string, Promise<unknown>>();

  async request(
    name: string,
    { ifAvailable, signal }: { ifAvailable?: boolean; signal?: AbortSignal },
    callback: (lock: object | null) => unknown,
  ): Promise<unknown> {
    if (ifAvailable && this.held.has(name)) return callback(null);
    while (this.held.has(name)) {
      signal?.throwIfAborted();
      await Promise.race([this.held.get(name), new Promise((resolve) => setTimeout(resolve, 10))]);
    }
    const done = Promise.resolve(callback({})).finally(() => this.held.delete(name));
    this.held.set(name, done);
    return done;
  }
}

beforeEach(async () => {
  vi.stubGlobal('navigator', { locks: new Locks() });
  server = await new StubServer().start();
  space = `space-${(spaces += 1)}`;
});

afterEach(async () => {
  clients.splice(0).forEach((client) => client.close());
  await server.stop();
  vi.unstubAllGlobals();
});

const until = (assertion: () => void | Promise<void>): Promise<void> =>
  vi.waitFor(assertion, { timeout: 5000, interval: 10 });

/** Open a tab: each has a new sessionStorage in effect, for Node has none. */
async function openTab(url = server.url): Promise<IsshoniClient> {
  const client = new IsshoniClient(url, 'team', {
    WebSocket: NodeWebSocket as unknown as typeof WebSocket,
    backoff: QUICKLY,
    store: await indexedStorage(space),
  });
  clients.push(client);
  client.connect();
  return client;
}

const kept = async (): Promise<Awaited<ReturnType<KeptRecords['all']>>> => (await KeptRecords.open(space)).all();
/** Wait until no tab has a claim on any record. */
async function released(): Promise<void> {
  for (const { id } of await kept()) {
    const release = await claim(`isshoni:${space}:${id}`, 5000);
    expect(release).not.toBe(null);
    release!();
  }
}

const nowhere = 'ws://127.0.0.1:9';

test('what was typed and drawn in tabs that are closed is sent by the next one', async () => {
  const [one, two] = [await openTab(nowhere), await openTab(nowhere)];
  one.send('from the first tab');
  one.elements.set('first', { x: 1 });
  two.send('from the second tab');
  two.elements.set('second', { x: 2 });
  const writers = [one.clientId, two.clientId];
  await until(async () => expect((await kept()).filter(({ canvas }) => canvas !== null)).toHaveLength(2));
  one.close();
  two.close();
  await released();
  const next = await openTab();
  expect(next.elements.toJSON()).toEqual({ first: { x: 1 }, second: { x: 2 } });
  expect(next.unsaved.canvas).toBe(true);
  await until(() => expect(server.state.log.map(({ text }) => text).sort()).toEqual([
    'from the first tab',
    'from the second tab',
  ]));
  expect(server.state.log.map((message) => message.client_id).sort()).toEqual(writers.sort());
  await until(() => expect(server.state.doc.getMap('elements').toJSON()).toEqual({ first: { x: 1 }, second: { x: 2 } }));
  await until(async () => {
    const left = await kept();
    expect(left.map(({ session }) => session.outbox.client_id)).toEqual([next.clientId]);
    expect(left[0]!.canvas).toBe(null);
  });
});

test('a message that was sent, and whose ack was not heard, is not sent twice by the next tab', async () => {
  const first = await openTab();
  await until(() => expect(first.status).toBe('restored'));
  server.fault = (connection, frame) => {
    if (frame.type !== 'chat') return false;
    server.state.log.push({ client_id: connection.clientId, n: frame.n as number, text: frame.text as string, at: 1 });
    return true;
  };
  first.send('once');
  await until(async () => expect((await kept())[0]?.session.outbox.pending).toHaveLength(1));
  first.close();
  server.fault = null;
  await released();
  await openTab();
  await until(async () => expect((await kept()).every(({ session }) => session.outbox.pending.length === 0)).toBe(true));
  expect(server.state.log.map(({ text }) => text)).toEqual(['once']);
});

test('the work of a tab that lives is left to it', async () => {
  const first = await openTab(nowhere);
  first.send('mine');
  await until(async () => expect((await kept())[0]?.session.outbox.pending).toHaveLength(1));
  const second = await openTab();
  await until(() => expect(second.status).toBe('restored'));
  expect(second.clientId).not.toBe(first.clientId);
  expect(server.state.log).toEqual([]);
});

/** The sessionStorage of one tab, and what its page hears of being left. */
function stubTab(): { leave: () => void } {
  const kept = new Map<string, string>();
  const hiding: (() => void)[] = [];
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  vi.stubGlobal('removeEventListener', () => undefined);
  vi.stubGlobal('addEventListener', (name: string, listener: () => void) => {
    if (name === 'pagehide') hiding.push(listener);
  });
  return { leave: () => hiding.splice(0).forEach((listener) => listener()) };
}

test('the copy of a frozen tab is another client, also where there are no locks', async () => {
  vi.stubGlobal('navigator', {});
  stubTab();
  const first = await openTab();
  await until(() => expect(first.status).toBe('restored'));
  // Frozen: it answers nothing.
  vi.stubGlobal('BroadcastChannel', class { postMessage = (): void => undefined; close = (): void => undefined; });
  const copy = await openTab();
  expect(copy.clientId).not.toBe(first.clientId);
});

test.each(['locks', 'no locks'])('a tab that is loaded again is the same client, with %s', async (kind) => {
  if (kind === 'no locks') vi.stubGlobal('navigator', {});
  const tab = stubTab();
  const first = await openTab();
  await until(() => expect(first.status).toBe('restored'));
  await until(async () => expect(await kept()).toHaveLength(1));
  tab.leave();
  first.close();
  const again = await openTab();
  expect(again.clientId).toBe(first.clientId);
  const client = await openTab();
  expect(client.clientId).not.toBe(first.clientId);
});

test('what is saved before it is written costs no write', async () => {
  vi.useFakeTimers();
  const put = vi.fn(() => Promise.resolve());
  const store = new KeptSession({ put } as unknown as KeptRecords, 'tab', () => undefined, null);
  const session = (last_n: number, texts: string[] = []): StoredSession => ({
    outbox: { client_id: 'c-1', last_n, pending: texts.map((text, index) => ({ n: last_n - index, text })) },
    generation: 1,
  });
  const writes = async (save: () => void): Promise<number> => {
    put.mockClear();
    save();
    await vi.advanceTimersByTimeAsync(1000);
    return put.mock.calls.length;
  };
  expect(await writes(() => store.save(session(0)))).toBe(1);
  expect(await writes(() => [store.save(session(1, ['hi'])), store.save(session(1))])).toBe(0);
  expect(await writes(() => store.save(session(2, ['slow'])))).toBe(1);
  expect(await writes(() => store.save(session(2)))).toBe(1);
  expect(await writes(() => store.saveCanvas(() => Uint8Array.of(0, 0)))).toBe(1);
  expect(await writes(() => store.saveCanvas(() => null))).toBe(1);
  expect(await writes(() => store.saveCanvas(() => null))).toBe(0);
  vi.useRealTimers();
});

test('nothing of a deleted session is kept', async () => {
  const client = await openTab();
  await until(() => expect(client.status).toBe('restored'));
  server.refuse = () => 4410;
  server.fault = () => true;
  client.send('too late');
  await until(async () => expect(await kept()).toHaveLength(1));
  server.connections[0]!.socket.close(4410);
  await until(() => expect(client.status).toBe('refused'));
  client.elements.set('later', 1);
  await until(async () => expect(await kept()).toEqual([]));
});

test.each(['locks', 'no locks'])('a name is claimed once at a time, with %s', async (kind) => {
  if (kind === 'no locks') vi.stubGlobal('navigator', {});
  const name = `${space}:name`;
  const release = await claim(name);
  expect(release).not.toBe(null);
  expect(await claim(name)).toBe(null);
  expect(await claim(name, 20)).toBe(null);
  release!();
  const again = await claim(name, 1000);
  expect(again).not.toBe(null);
  again!();
});
