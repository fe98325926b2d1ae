import { createClient } from 'graphql-ws';
import { WebSocket as PartySocket } from 'partysocket';
import { Socket as PhoenixSocket } from 'phoenix';
import { io, WebSocket as SocketIoTransport } from 'socket.io-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebsocketProvider } from 'y-websocket';
import * as encoding from 'lib0/encoding';
import * as decoding from 'lib0/decoding';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';
import type { MovableSocket } from '../src/index.js';
import { MigratingServer, movable, until, type Peer } from './server.js';

let server: MigratingServer;
let url: string;

beforeEach(async () => {
  server = new MigratingServer({ handleProtocols: (asked) => [...asked][0] ?? false });
  url = await server.start();
});
afterEach(() => server.stop());

test('y-websocket moves without a disconnect, and both documents are equal', async () => {
  const shared = new Y.Doc();
  server.onPeer = (peer) => serveYjs(peer, shared);
  const doc = new Y.Doc();
  const { Socket, moves } = movable({ preamble: 1 });
  const provider = new WebsocketProvider(url, 'room', doc, { WebSocketPolyfill: Socket, disableBc: true });
  const states: string[] = [];
  provider.on('status', ({ status }) => states.push(status));
  await until(() => provider.synced);
  for (const to of ['green', 'blue']) {
    doc.getMap('m').set(`before ${to}`, 1);
    const before = moves.length;
    server.migrate(to);
    await until(() => moves.length > before);
    doc.getMap('m').set(`after ${to}`, 1);
    shared.getMap('m').set(`theirs ${to}`, 1);
  }
  const all = ['before green', 'after green', 'theirs green', 'before blue', 'after blue', 'theirs blue'].sort();
  await until(() => [doc, shared].every((d) => d.getMap('m').size === all.length), 'all edits');
  expect([...shared.getMap('m').keys()].sort()).toEqual(all);
  expect(states).toEqual(['connected']);
  provider.destroy();
});

function serveYjs({ socket }: Peer, doc: Y.Doc): void {
  const send = (write: (encoder: encoding.Encoder) => void) => {
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, 0);
    write(encoder);
    if (encoding.length(encoder) > 1) socket.send(encoding.toUint8Array(encoder));
  };
  socket.on('message', (data: Buffer) => {
    const decoder = decoding.createDecoder(new Uint8Array(data));
    if (decoding.readVarUint(decoder) !== 0) return;
    send((encoder) => sync.readSyncMessage(decoder, encoder, doc, socket));
  });
  const pass = (update: Uint8Array) => send((encoder) => sync.writeUpdate(encoder, update));
  doc.on('update', pass);
  socket.on('close', () => doc.off('update', pass));
  send((encoder) => sync.writeSyncStep1(encoder, doc));
}

test('a reconnecting socket of partysocket is moved, and does not reconnect', async () => {
  const { Socket, moves } = movable();
  const socket = new PartySocket(url, [], { WebSocket: Socket });
  const events: string[] = [];
  for (const type of ['open', 'close', 'error'] as const) socket.addEventListener(type, () => events.push(type));
  const seen: unknown[] = [];
  socket.addEventListener('message', ({ data }) => seen.push(data));
  await until(() => server.peers.length === 1 && events.length === 1);
  socket.send('one');
  server.migrate('green');
  await until(() => moves.length === 1);
  socket.send('two');
  server.peer(1).socket.send('hello');
  await until(() => server.peer(1).received.length === 1 && seen.length === 1);
  expect(server.peers.map(({ received }) => received)).toEqual([['one'], ['two']]);
  expect([events, seen]).toEqual([['open'], ['hello']]);
  socket.close();
});

test('a subscription of graphql-ws continues on the new server', async () => {
  server.onPeer = ({ socket }) =>
    socket.on('message', (data: Buffer) => {
      const { type } = JSON.parse(data.toString()) as { type: string };
      if (type === 'connection_init') socket.send('{"type":"connection_ack"}');
    });
  const ready = (data: unknown) => (JSON.parse(data as string) as { type: string }).type === 'connection_ack';
  const { Socket, moves } = movable({ preamble: 2, ready });
  const closes: unknown[] = [];
  const client = createClient({ url, webSocketImpl: Socket, lazy: false, on: { closed: (event) => closes.push(event) } });
  const values: unknown[] = [];
  const failures: unknown[] = [];
  client.subscribe({ query: 'subscription { n }' }, {
    next: ({ data }) => values.push(data?.n),
    error: (fault) => failures.push(fault),
    complete: () => undefined,
  });
  await until(() => server.peers.length === 1 && server.peer(0).received.length === 2);
  const { id } = JSON.parse(server.peer(0).received[1]!) as { id: string };
  const publish = (n: number) => server.peer(-1).socket.send(JSON.stringify({ id, type: 'next', payload: { data: { n } } }));
  publish(1);
  await until(() => values.length === 1);
  server.migrate('green');
  await until(() => moves.length === 1);
  expect(moves[0]).toMatchObject({ moved: true });
  expect(server.peer(1).received).toEqual(server.peer(0).received);
  publish(2);
  await until(() => values.length === 2);
  expect([values, failures, closes]).toEqual([[1, 2], [], []]);
  await client.dispose();
});

test('a channel of phoenix stays joined on the new server', async () => {
  server.onPeer = ({ socket }) =>
    socket.on('message', (data: Buffer) => {
      const [join, ref, topic] = JSON.parse(data.toString()) as (string | null)[];
      socket.send(JSON.stringify([join, ref, topic, 'phx_reply', { status: 'ok', response: {} }]));
    });
  const ready = (data: unknown) => (data as string).includes('phx_reply');
  const { Socket, moves } = movable({ preamble: 1, ready });
  const socket = new PhoenixSocket(url, { transport: Socket });
  const closes: unknown[] = [];
  socket.onClose((event) => closes.push(event));
  socket.connect();
  const channel = socket.channel('room:1');
  const news: unknown[] = [];
  channel.on('news', (payload) => news.push(payload));
  let joins = 0;
  channel.join().receive('ok', () => (joins += 1));
  await until(() => joins === 1);
  server.migrate('green');
  await until(() => moves.length === 1);
  server.peer(1).socket.send(JSON.stringify([null, null, 'room:1', 'news', { n: 1 }]));
  await until(() => news.length === 1);
  let replies = 0;
  channel.push('say', { n: 2 }).receive('ok', () => (replies += 1));
  await until(() => replies === 1);
  expect([joins, closes, moves[0]?.moved]).toEqual([1, [], true]);
  socket.disconnect();
});

test('a socket of socket.io-client stays connected on the new server', async () => {
  server.onPeer = ({ socket }) => {
    socket.send('0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}');
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text === '40') socket.send('40{"sid":"n"}');
      const asked = /^42(\d+)/.exec(text);
      if (asked) socket.send(`43${asked[1]}["done"]`);
    });
  };
  const ready = (data: unknown) => (data as string).startsWith('40');
  const { Socket, moves } = movable({ preamble: 1, ready });
  class Transport extends SocketIoTransport {
    override createSocket(uri: string, protocols?: string | string[]): MovableSocket {
      return protocols ? new Socket(uri, protocols) : new Socket(uri);
    }
  }
  const socket = io(url.replace('ws:', 'http:'), { transports: [Transport], reconnection: false });
  const closes: unknown[] = [];
  socket.on('disconnect', (reason) => closes.push(reason));
  const news: unknown[] = [];
  socket.on('news', (value) => news.push(value));
  await until(() => socket.connected);
  server.migrate('green');
  await until(() => moves.length === 1);
  server.peer(1).socket.send('42["news",1]');
  expect(await socket.timeout(30_000).emitWithAck('say', 2)).toBe('done');
  await until(() => news.length === 1);
  expect([closes, moves[0]?.moved]).toEqual([[], true]);
  socket.disconnect();
});
