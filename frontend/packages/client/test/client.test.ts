import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { IsshoniClient, memoryStorage, type ClientEvents, type ClientOptions } from '../src/index.js';
import { QUICKLY, StubServer } from './stub-server.js';

let server: StubServer;
const clients: IsshoniClient[] = [];

beforeEach(async () => {
  server = await new StubServer().start();
});

afterEach(async () => {
  clients.splice(0).forEach((client) => client.close());
  await server.stop();
});

function join(options: ClientOptions = {}, url = server.url): IsshoniClient & { texts: string[] } {
  const client = new IsshoniClient(url, 'team', {
    WebSocket: NodeWebSocket as unknown as typeof WebSocket,
    backoff: QUICKLY,
    ...options,
  });
  clients.push(client);
  const texts: string[] = [];
  client.on('chat', ({ messages, reset }) => {
    if (reset) texts.length = 0;
    texts.push(...messages.map((message) => message.text));
  });
  client.connect();
  return Object.assign(client, { texts });
}

const until = (assertion: () => void): Promise<void> => vi.waitFor(assertion, { timeout: 3000, interval: 5 });
const restored = (client: IsshoniClient): Promise<void> =>
  until(() => expect(client.status).toBe('restored'));
const saved = (client: IsshoniClient): Promise<void> =>
  until(() => expect(client.unsaved).toEqual({ messages: 0, canvas: false }));

function record<Name extends keyof ClientEvents>(client: IsshoniClient, name: Name): ClientEvents[Name][] {
  const events: ClientEvents[Name][] = [];
  client.on(name, (event) => events.push(event));
  return events;
}

const logged = (): string[] => server.state.log.map((message) => message.text);

test('two clients see each other’s messages in one order', async () => {
  const [ann, bo] = [join(), join()];
  ann.send('hello');
  bo.send('hi');
  await until(() => expect(ann.texts).toHaveLength(2));
  await until(() => expect(bo.texts).toEqual(ann.texts));
  expect(ann.pending).toEqual([]);
});

test('what is typed while offline is pending, then sent once, in order', async () => {
  const port = server.port;
  await server.stop();
  const client = join({}, `ws://127.0.0.1:${port}`);
  client.send('one');
  client.send('two');
  expect(client.unsaved.messages).toBe(2);
  await server.start(port);
  await saved(client);
  expect(logged()).toEqual(['one', 'two']);
});

test('a message whose ack was lost is resent and not doubled', async () => {
  const client = join();
  await restored(client);
  server.fault = (connection, frame) => {
    if (frame.type !== 'chat') return false;
    server.state.log.push({ client_id: connection.clientId, n: frame.n as number, text: frame.text as string, at: 1 });
    connection.socket.terminate();
    server.fault = null;
    return true;
  };
  client.send('once');
  await saved(client);
  client.send('after');
  await saved(client);
  expect(logged()).toEqual(['once', 'after']);
  await until(() => expect(client.texts).toEqual(['once', 'after']));
});

test('a clean close is a loss like any other', async () => {
  const client = join();
  await restored(client);
  server.connections[0]!.socket.close(1000);
  await server.connection(1);
  await restored(client);
});

test('a refusal is not retried', async () => {
  server.refuse = () => 4404;
  const client = join();
  await until(() => expect(client.status).toBe('refused'));
  expect(server.connections).toHaveLength(0);
});

test('each connection has a greater generation, also after a reload', async () => {
  const store = memoryStorage();
  const before = join({ store });
  await restored(before);
  before.close();
  const after = join({ store });
  await restored(after);
  expect(after.clientId).toBe(before.clientId);
  expect(server.connections[1]!.generation).toBeGreaterThan(server.connections[0]!.generation);
});

test('a reload keeps unacknowledged messages', async () => {
  const store = memoryStorage();
  server.fault = (_, frame) => frame.type === 'chat';
  const before = join({ store });
  before.send('typed just before the reload');
  await until(() => expect(server.connections[0]?.received.at(-1)?.type).toBe('chat'));
  before.close();
  server.fault = null;
  await saved(join({ store }));
  expect(logged()).toEqual(['typed just before the reload']);
});

test('not_saved is answered by sending it and all after it again', async () => {
  const client = join();
  await restored(client);
  let failures = 2;
  server.fault = (connection, frame) => {
    if (frame.type !== 'chat' || failures === 0) return false;
    failures -= 1;
    connection.send({ type: 'error', code: 'not_saved', message: 'Redis is away', n: frame.n });
    return true;
  };
  client.send('one');
  client.send('two');
  client.send('three');
  await saved(client);
  expect(logged()).toEqual(['one', 'two', 'three']);
});

test('the first message of a client goes alone, for its log accepts any n', async () => {
  server.fault = (_, frame) => frame.type === 'chat';
  const client = join();
  await restored(client);
  client.send('one');
  client.send('two');
  await until(() => expect(server.connections[0]!.received.at(-1)?.type).toBe('chat'));
  server.fault = null;
  server.connections[0]!.socket.close(1012);
  await saved(client);
  expect(logged()).toEqual(['one', 'two']);
  const chats = server.connections[0]!.received.filter((frame) => frame.type === 'chat');
  expect(chats).toHaveLength(1);
});

test('a gap is filled from the outbox', async () => {
  const client = join();
  client.send('one');
  await saved(client);
  server.fault = (_, frame) => {
    server.fault = null;
    return frame.type === 'chat';
  };
  client.send('swallowed');
  client.send('three');
  await saved(client);
  expect(logged()).toEqual(['one', 'swallowed', 'three']);
});

test('what the log lost of what was acknowledged is sent again', async () => {
  const client = join();
  for (const text of ['one', 'two', 'three']) client.send(text);
  await saved(client);
  server.state.log.splice(1);
  client.send('four');
  await saved(client);
  expect(logged()).toEqual(['one', 'two', 'three', 'four']);
});

test('a refused message leaves the outbox and the next ones pass', async () => {
  const client = join();
  await restored(client);
  const refusals = record(client, 'refused');
  server.fault = (connection, frame) => {
    if (frame.text !== 'bad') return false;
    connection.send({ type: 'error', code: 'too_large', message: 'no', n: frame.n });
    return true;
  };
  client.send('one');
  client.send('bad');
  client.send('three');
  await saved(client);
  expect(logged()).toEqual(['one', 'three']);
  expect(refusals).toEqual([{ n: 2, text: 'bad', reason: 'no' }]);
});

test('a missed event is fetched, and nothing shows twice', async () => {
  const client = join();
  await restored(client);
  const holes = record(client, 'hole');
  for (const text of ['one', 'two', 'three']) {
    server.state.log.push({ client_id: 'c-other', n: 1, text, at: 1 });
  }
  server.connections[0]!.send(server.state.event(1));
  server.connections[0]!.send(server.state.event(2));
  await until(() => expect(client.texts).toEqual(['one', 'two', 'three']));
  expect(holes).toEqual([{ first: 1, last: 1 }]);
});

test('another epoch means: forget, take the history, and say again what is missing of ours', async () => {
  const client = join();
  client.send('of the old log');
  await saved(client);
  server.state.epoch = 'epoch-2';
  server.state.log.splice(0, 1, { client_id: 'c-other', n: 1, text: 'of the new log', at: 1 });
  server.connections[0]!.socket.close(1012);
  await until(() => expect(client.texts).toEqual(['of the new log', 'of the old log']));
});

test('silence means a dead socket', async () => {
  server.identity = { ...server.identity, heartbeat_seconds: 0.02 };
  const client = join();
  await restored(client);
  server.fault = (connection) => connection === server.connections[0];
  await server.connection(1);
  await restored(client);
});

test('a message into a half-open socket is looked after, and the status says so within ten seconds', async () => {
  const client = join();
  await restored(client);
  server.fault = (connection) => connection === server.connections[0];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  client.send('into the void');
  vi.advanceTimersByTime(9_900);
  expect(client.status).toBe('restored');
  vi.advanceTimersByTime(100);
  expect(client.status).toBe('reconnecting');
  vi.advanceTimersByTime(1000);
  vi.useRealTimers();
  await saved(client);
  expect(logged()).toEqual(['into the void']);
});

test('a server that accepts and then says nothing is given up', async () => {
  server.fault = (connection) => connection === server.connections[0];
  const client = join({ restoreTimeoutMs: 30 });
  await server.connection(1);
  await restored(client);
});

test('frames that make no sense change nothing', async () => {
  const client = join();
  await restored(client);
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const { socket } = server.connections[0]!;
  for (const frame of ['', 'null', '[]', '{"type":"__proto__"}', '{"type":"chat","seq":-1}', '{"type":"ack"}']) {
    socket.send(frame);
  }
  socket.send(Uint8Array.of(0, 9));
  client.send('still here');
  await saved(client);
  expect(server.connections).toHaveLength(1);
  expect(warn).toHaveBeenCalled();
  warn.mockRestore();
});

test('a text that is no Unicode is repaired, an empty one refused', async () => {
  const client = join();
  client.send('a\uD800b');
  await saved(client);
  expect(logged()).toEqual(['a\uFFFDb']);
  expect(() => client.send('')).toThrow(RangeError);
  expect(() => client.send('😀'.repeat(4001))).toThrow(RangeError);
});

test('a client that learns when to ask again waits on the same connection, however long', async () => {
  const asked: number[] = [];
  server.fault = (connection, frame) => {
    if (frame.type !== 'restore_session') return false;
    asked.push(performance.now());
    if (asked.length > 1) return false;
    connection.send({ type: 'error', code: 'not_ready', message: 'busy', retry_after_ms: 600 });
    return true;
  };
  const client = join({ restoreTimeoutMs: 300 });
  await restored(client);
  expect(asked).toHaveLength(2);
  expect(server.connections).toHaveLength(1);
});
