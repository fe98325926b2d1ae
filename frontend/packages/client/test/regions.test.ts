import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { IsshoniClient, type ClientEvents } from '../src/index.js';
import { SharedState, StubServer } from './stub-server.js';

/** Two regions with one replicated state. A pause after a whole round would outlast the tests. */
const ROUNDS = { firstMs: 1, promptMs: 1, factor: 100_000, longestMs: 100_000, stableMs: 1000 };
let east: StubServer;
let west: StubServer;
let silent: Server | null = null;
const clients: IsshoniClient[] = [];
const http = (server: StubServer): string => server.url.replace('ws', 'http');
const until = (assertion: () => void): Promise<void> => vi.waitFor(assertion, { timeout: 30_000, interval: 5 });

beforeEach(async () => {
  const state = new SharedState();
  east = await new StubServer(state).start();
  west = await new StubServer(state).start();
  east.regions = { region: 'east', alternatives: [http(west)], region_proof: '4.east.mac' };
  west.regions = { region: 'west', alternatives: [http(east)], region_proof: '6.west.mac' };
});

afterEach(async () => {
  clients.splice(0).forEach((client) => client.close());
  silent?.close();
  await east.stop();
  await west.stop();
});

function join(url: string, alternatives: string[] = []): IsshoniClient {
  const client = new IsshoniClient(url, 'team', {
    WebSocket: NodeWebSocket as unknown as typeof WebSocket,
    backoff: ROUNDS,
    alternatives,
  });
  clients.push(client);
  client.connect();
  return client;
}

test('a client whose region is gone tries the other at once, with the proof that it has', async () => {
  const client = join(east.url);
  await until(() => expect(client.status).toBe('restored'));
  const moves: ClientEvents['moved'][] = [];
  client.on('moved', (move) => moves.push(move));
  await east.stop();
  client.send('typed while there was none');
  await until(() => expect(client.unsaved.messages).toBe(0));
  const [restore] = west.connections[0]!.received;
  expect(restore).toMatchObject({ region_proof: '4.east.mac' });
  expect(restore!.can).toContain('regions');
  expect(moves).toHaveLength(1);
  expect(client.server).toMatchObject({ region: 'west' });
});

test('a move to another region is make-before-break, and its ticket is shown there', async () => {
  const client = join(east.url);
  await until(() => expect(client.status).toBe('restored'));
  const statuses: string[] = [];
  client.on('status', ({ status }) => statuses.push(status));
  east.connections[0]!.send({ type: 'migrate', to: 'west', ticket: 't 1', within_ms: 5000, address: http(west) });
  expect(await east.connections[0]!.closed).toBe(1000);
  expect(Object.fromEntries(west.connections[0]!.query)).toEqual({ ticket: 't 1' });
  client.send('there');
  await until(() => expect(client.unsaved.messages).toBe(0));
  expect(statuses).toEqual([]);
  west.connections[0]!.socket.terminate();
  await until(() => expect(west.connections).toHaveLength(2));
  await until(() => expect(client.status).toBe('restored'));
  expect(west.connections[1]!.received[0]).toMatchObject({ region_proof: '6.west.mac' });
});

test('an address that never answers costs two seconds while another is not tried', async () => {
  silent = createServer().listen(0, '127.0.0.1');
  await until(() => expect(silent!.listening).toBe(true));
  const client = join(`ws://127.0.0.1:${(silent.address() as AddressInfo).port}`, [http(west)]);
  await until(() => expect(client.status).toBe('restored'));
  expect(west.connections).toHaveLength(1);
}, 35_000);

test('a move to what is no origin is ignored', async () => {
  const client = join(east.url);
  await until(() => expect(client.status).toBe('restored'));
  east.connections[0]!.send({ type: 'migrate', to: 'west', ticket: 't', within_ms: 5000, address: 'javascript:1' });
  client.send('here');
  await until(() => expect(client.unsaved.messages).toBe(0));
  expect(east.connections).toHaveLength(1);
});

test('files are read where the session is served now, and from the first address if that gives no answer', async () => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (url: string) => {
    asked.push(url);
    if (url.startsWith(http(west)) && asked.length > 1) return Promise.reject(new TypeError('Failed to fetch'));
    return Promise.resolve(new Response('content'));
  });
  try {
    const client = join(east.url);
    await until(() => expect(client.status).toBe('restored'));
    east.connections[0]!.send({ type: 'migrate', to: 'west', ticket: 't 1', within_ms: 5000, address: http(west) });
    await until(() => expect(client.server).toMatchObject({ region: 'west' }));
    expect(await (await client.http.getFile('f1')).text()).toBe('content');
    expect(await (await client.http.getFile('f2')).text()).toBe('content');
    await expect(client.http.putFile('f3', new Blob(['x']))).rejects.toThrow('Failed to fetch');
    const path = '/sessions/team/files/';
    expect(asked).toEqual([
      `${http(west)}${path}f1`,
      `${http(west)}${path}f2`,
      `${http(east)}${path}f2`,
      `${http(west)}${path}f3`,
    ]);
  } finally {
    vi.unstubAllGlobals();
  }
});
