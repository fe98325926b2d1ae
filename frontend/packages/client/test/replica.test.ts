import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { EventTail } from '../src/event-tail.js';
import { IsshoniClient } from '../src/index.js';
import type { RawEvent } from '../src/messages.js';
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

const until = (assertion: () => void): Promise<void> => vi.waitFor(assertion, { timeout: 5000, interval: 5 });

async function join(): Promise<IsshoniClient & { texts: string[] }> {
  const client = new IsshoniClient(server.url, 'team', {
    WebSocket: NodeWebSocket as unknown as typeof WebSocket,
    backoff: QUICKLY,
  });
  clients.push(client);
  const texts: string[] = [];
  client.on('chat', ({ messages }) => texts.push(...messages.map(({ text }) => text)));
  client.connect();
  await until(() => expect(client.status).toBe('restored'));
  return Object.assign(client, { texts });
}

test('a log that lost its end gets back what we hold of it, as it came', async () => {
  const client = await join();
  for (const text of ['one', '둘 😀', 'three \u2028"\\']) client.send(text);
  await until(() => expect(client.texts).toHaveLength(3));
  const [connection] = server.connections;
  connection!.send({ type: 'recall', epoch: 'epoch-1', after: 1 });
  connection!.send({ type: 'recall', epoch: 'another', after: 0 });
  const recalled = (): unknown[] => connection!.received.filter(({ type }) => type === 'recalled');
  await until(() => expect(recalled()).toHaveLength(2));
  expect(recalled()).toEqual([
    { type: 'recalled', epoch: 'epoch-1', events: [server.state.event(1), server.state.event(2)] },
    { type: 'recalled', epoch: 'another', events: [] },
  ]);
  connection!.socket.close(1012);
  const next = await server.connection(1);
  await until(() => expect(next.received[0]).toMatchObject({ held: server.state.event(2), position: { seq: 3 } }));
  expect(next.received[0]!.can).toContain('replica');
});

test('several events in one frame are delivered in order, and handed back as they came', async () => {
  const client = await join();
  const [connection] = server.connections;
  expect(connection!.received[0]!.can).toContain('batch');
  const event = (seq: number): object => ({
    type: 'chat', seq, client_id: 'another', n: seq, text: `text ${seq}`, at: 1, mac: `mac ${seq}`,
  });
  connection!.send({ type: 'events', events: [event(1), { type: 'chat', seq: 'broken' }, event(2), event(3)] });
  connection!.send({ type: 'events', events: 'none' });
  connection!.send(event(4));
  await until(() => expect(client.texts).toEqual(['text 1', 'text 2', 'text 3', 'text 4']));
  connection!.send({ type: 'recall', epoch: 'epoch-1', after: 1 });
  const recalled = (): unknown[] => connection!.received.filter(({ type }) => type === 'recalled');
  await until(() => expect(recalled()).toEqual([
    { type: 'recalled', epoch: 'epoch-1', events: [event(2), event(3), event(4)] },
  ]));
});

test('a restore that cannot be answered yet is asked for again on the same connection', async () => {
  let refusals = 2;
  server.fault = (connection, frame) => {
    if (frame.type !== 'restore_session' || refusals === 0) return false;
    refusals -= 1;
    connection.send({ type: 'error', code: 'not_ready', message: 'the log is being made whole' });
    return true;
  };
  await join();
  expect(server.connections).toHaveLength(1);
});

test('a server that finds us too fast gets it in parts, in order, and nothing is lost', async () => {
  const client = await join();
  let [taken, refused] = [0, 0];
  server.fault = (connection, frame) => {
    if (frame.type !== 'chat') return false;
    taken += 1;
    if (taken <= 60 || taken > 120) return false;
    refused += 1;
    connection.send({ type: 'error', code: 'rate_limited', message: 'too fast', n: frame.n, retry_after_ms: 20 });
    return true;
  };
  const typed = Array.from({ length: 150 }, (_, index) => `m${index}`);
  typed.forEach((text) => client.send(text));
  await until(() => expect(client.pending).toEqual([]));
  expect(server.state.log.map(({ text }) => text)).toEqual(typed);
  expect(refused).toBeGreaterThan(0);
});

test('older messages are fetched, also over the loss of a connection', async () => {
  for (let n = 1; n <= 5; n += 1) server.state.log.push({ client_id: 'c-other', n, text: `m${n}`, at: 1 });
  const client = await join();
  server.fault = (connection, frame) => {
    if (frame.type !== 'history') return false;
    server.fault = null;
    connection.socket.terminate();
    return true;
  };
  const [first, second] = await Promise.all([client.history(5, 2), client.history(3, 2)]);
  expect(first.messages.map(({ text }) => text)).toEqual(['m3', 'm4']);
  expect(second.messages.map(({ text }) => text)).toEqual(['m1', 'm2']);
  expect([first.more, second.more]).toEqual([true, false]);
  const unanswered = client.history(1);
  server.fault = (_, frame) => frame.type === 'history';
  client.close();
  await expect(unanswered).rejects.toThrow('left');
});

test('who only reads is told that nothing is taken', async () => {
  const client = await join();
  const refusals: string[] = [];
  client.on('refused', ({ text }) => refusals.push(text));
  client.on('canvas_refused', ({ reason }) => refusals.push(reason));
  server.fault = (connection, frame) => {
    if (frame.type !== 'chat') return false;
    connection.send({ type: 'error', code: 'read_only', message: 'no', n: frame.n });
    return true;
  };
  client.send('hello');
  await until(() => expect(refusals).toEqual(['hello']));
  expect(client.pending).toEqual([]);
  server.connections[0]!.send({ type: 'error', code: 'canvas_full', message: 'full' });
  await until(() => expect(refusals).toEqual(['hello', 'full']));
});

test('what is handed back fits into a frame, whatever alphabet it is in', () => {
  const tail = new EventTail();
  for (let seq = 1; seq <= 1000; seq += 1) {
    const event = { type: 'chat', seq, client_id: 'c', n: seq, text: '함께'.repeat(300), at: 1 };
    tail.add('one', event as unknown as RawEvent);
  }
  const frame = JSON.stringify({ type: 'recalled', epoch: 'one', events: tail.after('one', 0) });
  expect(new TextEncoder().encode(frame).length).toBeLessThan(1 << 20);
  expect(tail.after('one', 999)).toHaveLength(1);
});

test('the last message is fetched though the answer to a restore was made before it', async () => {
  const client = await join();
  const [one, two] = ['one', 'two'].map((text) => ({ client_id: 'c-other', n: 1, text, at: 1 }));
  let restores = 0;
  server.fault = (_, frame) => {
    // The first answer has the message that was missed, and only the second has what was shown.
    if (frame.type === 'restore_session') server.state.log.push(++restores === 1 ? one! : two!);
    return false;
  };
  server.connections[0]!.send({ type: 'chat', seq: 2, ...two! });
  await until(() => expect(client.texts).toEqual(['one', 'two']));
});
