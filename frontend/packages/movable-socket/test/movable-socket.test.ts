import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { build } from 'vite';
import { WebSocket as Plain } from 'ws';
import type { MovableOptions, MovableSocket } from '../src/index.js';
import { MigratingServer, movable, until } from './server.js';

let server: MigratingServer;
let url: string;
let refuses = false;

beforeEach(async () => {
  refuses = false;
  server = new MigratingServer({ refuse: () => refuses });
  url = await server.start();
});
afterEach(() => server.stop());

async function connect(options: MovableOptions = {}) {
  const { Socket, moves } = movable(options);
  const socket = new Socket(`${url}/room?name=ann`);
  const seen: unknown[] = [];
  const closes: number[] = [];
  socket.onmessage = ({ data }) => seen.push(data);
  socket.onclose = ({ code }) => closes.push(code);
  await until(() => socket.readyState === socket.OPEN && server.peers.length === 1);
  return { socket, moves, seen, closes };
}

test('a move opens a second connection with target and ticket, and ends the first with 1000', async () => {
  const { socket, moves, seen, closes } = await connect();
  const codes: number[] = [];
  server.peer(0).socket.on('close', (code) => codes.push(code));
  server.migrate('green');
  await until(() => moves.length === 1 && codes.length === 1);
  expect(moves).toEqual([{ to: 'green', moved: true, reason: '' }]);
  expect(Object.fromEntries(server.peer(1).query)).toEqual({ name: 'ann', target: 'green', ticket: 'for-green' });
  expect(codes).toEqual([1000]);
  expect([seen, closes, socket.readyState]).toEqual([[], [], 1]);
  expect(socket.url).toBe(`${url}/room?name=ann`);
});

test('all messages sent during moves arrive, in order and once', async () => {
  const { socket, moves } = await connect({ quietMs: 20 });
  let n = 0;
  const sending = setInterval(() => socket.send(String(n++)), 3);
  for (const to of ['green', 'blue']) {
    const before = moves.length;
    server.migrate(to);
    await until(() => moves.length > before);
  }
  clearInterval(sending);
  await until(() => server.peers.reduce((sum, { received }) => sum + received.length, 0) >= n);
  expect(server.peers.flatMap(({ received }) => received)).toEqual(Array.from({ length: n }, (_, i) => String(i)));
  expect(moves.every(({ moved }) => moved)).toBe(true);
});

test('what both servers deliver is delivered once', async () => {
  const { moves, seen } = await connect();
  server.migrate('green');
  let n = 0;
  while (moves.length === 0) {
    for (const { socket } of server.peers) socket.send(`m${n}`);
    n += 1;
    await new Promise((done) => setTimeout(done, 5));
  }
  server.peer(-1).socket.send('end');
  await until(() => seen.includes('end'));
  expect(seen).toEqual([...Array.from({ length: n }, (_, i) => `m${i}`), 'end']);
});

test('without dedupe both copies are delivered', async () => {
  const { seen, moves } = await connect({ dedupe: false });
  server.onPeer = (peer) => peer.socket.send('hello');
  server.peer(0).socket.send('hello');
  server.migrate('green');
  await until(() => moves.length === 1 && seen.length === 2);
  expect(seen).toEqual(['hello', 'hello']);
});

test('the first messages are the preamble, and its answers are not shown', async () => {
  const { socket, seen, moves } = await connect({ preamble: 1, ready: (data) => data === 'welcome' });
  server.onPeer = ({ socket: theirs }) => theirs.once('message', () => ['hi', 'welcome', 'news'].forEach((m) => theirs.send(m)));
  socket.send('login');
  socket.send('other');
  server.migrate('green');
  await until(() => moves.length === 1 && seen.length > 0);
  expect(seen).toEqual(['news']);
  expect(server.peer(1).received).toEqual(['login']);
});

test('what onMove sends goes before messages that waited', async () => {
  const { socket, moves } = await connect({ onMove: () => socket.send('first') });
  server.peer(0).socket.on('close', () => socket.send('waited'));
  server.migrate('green');
  await until(() => moves.length === 1 && server.peer(1).received.length >= 1);
  expect(server.peer(1).received[0]).toBe('first');
});

test('a move that is refused leaves the socket where it is', async () => {
  const { socket, moves, closes } = await connect();
  refuses = true;
  server.migrate('green');
  await until(() => moves.length === 1);
  expect(moves[0]).toMatchObject({ to: 'green', moved: false });
  socket.send('still here');
  await until(() => server.peer(0).received.length === 1);
  expect([closes, server.peers.length]).toEqual([[], 1]);
});

test('a new server that is never ready is left after within_ms', async () => {
  const { moves, closes } = await connect({ ready: () => false });
  server.migrate('green', 50);
  await until(() => moves.length === 1);
  expect(moves[0]?.reason).toBe('the new connection was not ready within 50 ms');
  expect(closes).toEqual([]);
});

test.each([['ready'], ['preamble']])('an option %s that throws fails the move only', async (name) => {
  const fails = () => {
    throw new Error('no');
  };
  server.onPeer = ({ socket: theirs }) => theirs.send('hello');
  const { moves, closes } = await connect({ [name]: fails });
  server.migrate('green');
  await until(() => moves.length === 1);
  expect(moves[0]?.reason).toBe('Error: no');
  expect(closes).toEqual([]);
});

test('a later order for another target replaces the move under way', async () => {
  const { moves } = await connect({ quietMs: 200 });
  server.migrate('green');
  await until(() => server.peers.length === 2);
  const order = { type: 'migrate', to: 'blue', ticket: 't', within_ms: 20_000 };
  server.peer(0).socket.send(JSON.stringify(order));
  await until(() => moves.length === 2);
  expect(moves.map(({ to, moved }) => [to, moved])).toEqual([['green', false], ['blue', true]]);
});

test('the loss of the old connection before the switch is a close for the application', async () => {
  const { socket, closes, moves } = await connect({ ready: () => false });
  server.migrate('green');
  await until(() => server.peers.length === 2);
  server.peer(0).socket.close(1012, 'going');
  await until(() => closes.length === 1);
  expect([closes, socket.readyState, moves[0]?.moved]).toEqual([[1012], socket.CLOSED, false]);
});

test('a close by the application ends a move, with its code and what was sent before', async () => {
  const { socket, closes } = await connect({ ready: () => false });
  server.migrate('green');
  await until(() => server.peers.length === 2);
  socket.send('last');
  socket.close(4000, 'bye');
  expect(socket.readyState).toBe(socket.CLOSING);
  await until(() => closes.length === 1);
  expect([closes, server.peer(0).received]).toEqual([[4000], ['last']]);
});

test('a message that only looks like an order reaches the application', async () => {
  const { seen } = await connect();
  const texts = ['{"type":"migrate"}', '{"migrate"', '{"type":"chat","text":"\\"migrate\\"","to":"a","ticket":"b"}'];
  texts.forEach((text) => server.peer(0).socket.send(text));
  await until(() => seen.length === 3);
  expect(seen).toEqual(texts);
});

/** What an application can see of a socket: events with their fields, in order, and the states. */
async function observe(Socket: typeof MovableSocket, actions: Action[], move: number): Promise<unknown[]> {
  const at = server.peers.length;
  const socket = new Socket(`${url}/same`);
  socket.binaryType = 'arraybuffer';
  const seen: unknown[] = [];
  const late: unknown[] = [];
  for (const type of ['open', 'message', 'error', 'close'] as const) {
    socket.addEventListener(type, (event) => {
      const { data, code, reason, wasClean } = event as MessageEvent<unknown> & CloseEvent;
      const content = data instanceof ArrayBuffer ? [...new Uint8Array(data)] : data;
      seen.push([type, content, code, reason, wasClean, socket.readyState, event.target === socket]);
    });
  }
  const target = { handleEvent: () => late.push('object') };
  socket.addEventListener('message', target, { once: true });
  await until(() => seen.length === 1 && server.peers.length === at + 1);
  let echoed = 0;
  server.onPeer = echo;
  echo(server.peer(-1));
  for (const [index, action] of actions.entries()) {
    if (index === move) {
      server.migrate('green');
      await until(() => server.peers.length === at + 2 && server.peer(at).socket.readyState === Plain.CLOSED);
    }
    socket.send(typeof action === 'string' ? action : new Uint8Array(action));
    echoed += 1;
    await until(() => seen.length === 1 + echoed);
  }
  socket.close(3001, 'done');
  await until(() => socket.readyState === socket.CLOSED && seen.length === 2 + echoed);
  server.onPeer = () => undefined;
  return [...seen, ...late, socket.bufferedAmount, socket.protocol, socket.url];
}

type Action = string | number[];

function echo({ socket }: { socket: Plain }): void {
  socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
}

test('an application sees the same of it as of a WebSocket, with a move at any point', async () => {
  const bytes = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 20 });
  const actions = fc.uniqueArray(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }), bytes), {
    maxLength: 6,
    selector: (action) => JSON.stringify(action),
  });
  await fc.assert(
    fc.asyncProperty(actions, fc.nat({ max: 6 }), async (list, move) => {
      const plain = await observe(Plain as unknown as typeof MovableSocket, list, -1);
      expect(await observe(movable({ quietMs: 5 }).Socket, list, move)).toEqual(plain);
    }),
    { numRuns: 15, interruptAfterTimeLimit: 20_000 },
  );
});

test('handlers are replaced in place, and removed by null', async () => {
  const { socket } = await connect();
  const calls: string[] = [];
  socket.onmessage = () => calls.push('old');
  socket.addEventListener('message', () => calls.push('listener'));
  socket.onmessage = function () {
    calls.push(this === socket ? 'new' : 'wrong this');
  };
  server.peer(0).socket.send('1');
  await until(() => calls.length === 2);
  expect(calls).toEqual(['new', 'listener']);
  socket.onmessage = null;
  server.peer(0).socket.send('2');
  await until(() => calls.length === 3);
  expect([calls[2], socket.onmessage]).toEqual(['listener', null]);
});

test('errors of the constructor and of an early send are those of a WebSocket', () => {
  const { Socket } = movable();
  expect(() => new Socket('http:// bad')).toThrow(SyntaxError);
  const socket = new Socket(url);
  expect(() => socket.send('too early')).toThrow();
  socket.onerror = () => undefined;
  socket.close();
  expect(socket.readyState).toBe(socket.CLOSING);
});

test('binary messages come as Blob where the application asks for it, also after a move', async () => {
  const { socket, seen, moves } = await connect();
  socket.binaryType = 'blob';
  server.migrate('green');
  await until(() => moves.length === 1);
  server.peer(1).socket.send(Buffer.from([1, 2]));
  await until(() => seen.length === 1);
  expect([...new Uint8Array(await (seen[0] as Blob).arrayBuffer())]).toEqual([1, 2]);
});

test('a message that waits is counted, and sent as it was when the application sent it', async () => {
  const { socket, moves } = await connect();
  server.migrate('green');
  await until(() => server.peers.length === 2);
  const bytes = new Uint8Array([97]);
  await until(() => {
    if (socket.bufferedAmount === 0) socket.send(bytes);
    return socket.bufferedAmount > 0;
  });
  expect(() => socket.close(999)).toThrow(DOMException);
  bytes[0] = 98;
  socket.send('end');
  await until(() => moves.length === 1 && server.peer(1).received.includes('end'));
  expect(new Set(server.peers.flatMap(({ received }) => received))).toEqual(new Set(['a', 'end']));
});

test('it has at most 4 kB by gzip, and no dependencies', async () => {
  const entry = fileURLToPath(new URL('../src/index.ts', import.meta.url));
  const bundle = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, minify: true, lib: { entry, formats: ['es'] } },
  });
  const outputs = (Array.isArray(bundle) ? bundle : [bundle]).flatMap((one) => ('output' in one ? one.output : []));
  const code = outputs.map((chunk) => ('code' in chunk ? chunk.code : '')).join('');
  expect(code).not.toMatch(/^import /m);
  expect(gzipSync(code, { level: 9 }).length).toBeLessThanOrEqual(4000);
});
