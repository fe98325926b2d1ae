import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { IsshoniClient } from '../src/index.js';
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

function join(): IsshoniClient {
  const client = new IsshoniClient(server.url, 'team', {
    WebSocket: NodeWebSocket as unknown as typeof WebSocket,
    backoff: QUICKLY,
  });
  clients.push(client);
  client.connect();
  return client;
}

const until = (assertion: () => void): Promise<void> => vi.waitFor(assertion, { timeout: 3000, interval: 5 });

test('what one draws the other sees', async () => {
  const [ann, bo] = [join(), join()];
  ann.elements.set('circle', { x: 1 });
  await until(() => expect(bo.elements.get('circle')).toEqual({ x: 1 }));
  await until(() => expect(ann.unsaved.canvas).toBe(false));
});

test('what was drawn offline comes up, and what was missed comes down', async () => {
  const client = join();
  await until(() => expect(client.status).toBe('restored'));
  const { port } = server;
  await server.stop();
  client.elements.set('drawn offline', 1);
  server.state.doc.getMap('elements').set('missed', 1);
  expect(client.unsaved.canvas).toBe(true);
  await server.start(port);
  await until(() => expect(client.unsaved.canvas).toBe(false));
  expect(server.state.doc.getMap('elements').toJSON()).toEqual({ 'drawn offline': 1, missed: 1 });
  await until(() => expect(client.elements.has('missed')).toBe(true));
});

test('a drawing is unsaved until the server says that it is in Redis', async () => {
  const client = join();
  await until(() => expect(client.status).toBe('restored'));
  server.savesCanvas = false;
  client.elements.set('a', 1);
  await until(() => expect(server.state.doc.getMap('elements').size).toBe(1));
  expect(client.unsaved.canvas).toBe(true);
  server.connections[0]!.send({ type: 'saved', updates: 1 });
  await until(() => expect(client.unsaved.canvas).toBe(false));
});

test('a drawing is unsaved as long as the server has not asked for it', async () => {
  server.asksForCanvas = false;
  server.state.doc.getMap('elements').set('of the server', 1);
  const client = join();
  client.elements.set('mine', 1);
  await until(() => expect(client.elements.has('of the server')).toBe(true));
  expect(client.unsaved.canvas).toBe(true);
});

test('a newcomer learns at once who was there before', async () => {
  const ann = join();
  ann.awareness.setLocalState({ name: 'Ann' });
  await until(() => expect(ann.status).toBe('restored'));
  const bo = join();
  bo.awareness.setLocalState({ name: 'Bo' });
  const names = (): unknown[] => [...bo.awareness.getStates().values()].map((state) => state.name as string);
  await until(() => expect(names()).toContain('Ann'));
});

test('people see who is there, and who left', async () => {
  const [ann, bo] = [join(), join()];
  ann.awareness.setLocalState({ name: 'Ann' });
  bo.awareness.setLocalState({ name: 'Bo' });
  const names = (): unknown[] => [...ann.awareness.getStates().values()].map((state) => state.name as string);
  await until(() => expect(names().sort()).toEqual(['Ann', 'Bo']));
  bo.close();
  await until(() => expect(names()).toEqual(['Ann']));
});

test('a paste larger than a frame may be goes in pieces, and what follows it goes too', async () => {
  const client = join();
  await until(() => expect(client.status).toBe('restored'));
  await until(() => expect(client.unsaved.canvas).toBe(false));
  client.doc.transact(() => {
    for (let n = 0; n < 300; n += 1) client.elements.set(`${n}`, { text: 'x'.repeat(10_000) });
  });
  client.elements.set('later', 1);
  client.send('hello');
  await until(() => expect(client.unsaved).toEqual({ messages: 0, canvas: false }));
  expect(server.state.doc.getMap('elements').size).toBe(301);
  expect(server.connections).toHaveLength(1);
});

test('long work offline, larger than a frame may be, comes up in pieces', async () => {
  const client = join();
  await until(() => expect(client.status).toBe('restored'));
  const { port } = server;
  await server.stop();
  for (let n = 0; n < 300; n += 1) client.elements.set(`${n}`, { text: 'x'.repeat(10_000) });
  await server.start(port);
  await until(() => expect(client.unsaved.canvas).toBe(false));
  expect(server.state.doc.getMap('elements').size).toBe(300);
});

test('a value that no frame holds is taken off with words; all else goes on', async () => {
  const [client, other] = [join(), join()];
  await until(() => expect(client.status).toBe('restored'));
  const refusals: unknown[] = [];
  client.on('canvas_refused', ({ code, most_bytes }) => refusals.push([code, most_bytes]));
  client.elements.set('huge', 'x'.repeat(2 << 20));
  client.elements.set('later', 1);
  client.send('hello');
  await until(() => expect(client.unsaved).toEqual({ messages: 0, canvas: false }));
  await until(() => expect(other.elements.toJSON()).toEqual({ later: 1 }));
  expect(client.elements.toJSON()).toEqual({ later: 1 });
  expect(refusals).toEqual([['too_large', 1 << 20]]);
  client.elements.set('huge', 'small');
  await until(() => expect(other.elements.get('huge')).toBe('small'));
  expect(server.connections).toHaveLength(2);
});
