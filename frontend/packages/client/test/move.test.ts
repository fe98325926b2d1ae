import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { IsshoniClient, type ClientEvents } from '../src/index.js';
import { QUICKLY, StubServer } from './stub-server.js';

/** A pair behind one address: `target=green` in the query stands for the balancer's route. */
let server: StubServer;
const clients: IsshoniClient[] = [];
const blue = { version: 'v1.0', colour: 'blue', heartbeat_seconds: 20 };
const green = { version: 'v1.1', colour: 'green', heartbeat_seconds: 20 };

beforeEach(async () => {
  server = await new StubServer().start();
  server.fault = (connection) => {
    server.identity = connection.query.get('target') === 'green' ? green : blue;
    return false;
  };
});

afterEach(async () => {
  clients.splice(0).forEach((client) => client.close());
  await server.stop();
});

async function join(): Promise<{ client: IsshoniClient; moves: ClientEvents['moved'][]; statuses: string[] }> {
  const client = new IsshoniClient(server.url, 'team', {
    WebSocket: NodeWebSocket as unknown as typeof WebSocket,
    backoff: QUICKLY,
  });
  clients.push(client);
  client.connect();
  await until(() => expect(client.status).toBe('restored'));
  const [moves, statuses]: [ClientEvents['moved'][], string[]] = [[], []];
  client.on('moved', (move) => moves.push(move));
  client.on('status', ({ status }) => statuses.push(status));
  return { client, moves, statuses };
}

const until = (assertion: () => void): Promise<void> => vi.waitFor(assertion, { timeout: 3000, interval: 5 });

test('a move is make-before-break, with no gap and no change of status', async () => {
  const { client, moves, statuses } = await join();
  let oldWasOpenAtRestore = false;
  const [old] = server.connections;
  const chooseColour = server.fault!;
  server.fault = (connection, frame) => {
    if (connection !== old) oldWasOpenAtRestore ||= old!.socket.readyState === old!.socket.OPEN;
    return chooseColour(connection, frame);
  };
  old!.migrate('green', 't 1&2');
  await until(() => expect(moves).toEqual([{ version: 'v1.1', colour: 'green', gap_ms: 0 }]));
  expect(oldWasOpenAtRestore).toBe(true);
  expect(await old!.closed).toBe(1000);
  expect(server.connections[1]!.query.get('ticket')).toBe('t 1&2');
  expect(server.connections[1]!.generation).toBeGreaterThan(old!.generation);
  expect(statuses).toEqual([]);
  expect(client.server).toEqual(green);
});

test('a move to a later protocol leaves the client where it is', async () => {
  const { client, moves, statuses } = await join();
  server.protocol = 2;
  server.connections[0]!.migrate('green');
  expect(await (await server.connection(1)).closed).toBe(1000);
  client.send('still here');
  await until(() => expect(client.unsaved.messages).toBe(0));
  expect([moves, statuses]).toEqual([[], []]);
});

test('a server of a later protocol is left alone, and what is unsaved is kept', async () => {
  const { client } = await join();
  server.protocol = 2;
  server.connections[0]!.socket.close(1012);
  const codes: (number | undefined)[] = [];
  client.on('status', ({ code }) => codes.push(code));
  await until(() => expect(client.status).toBe('refused'));
  expect(codes.at(-1)).toBe(4426);
  client.send('typed under a newer server');
  expect(client.unsaved.messages).toBe(1);
  expect(server.connections).toHaveLength(2);
});

test('what is typed and drawn during a move is neither lost nor doubled', async () => {
  const { client, moves } = await join();
  const texts: string[] = [];
  client.on('chat', ({ messages }) => texts.push(...messages.map((message) => message.text)));
  let typed = 0;
  const typing = setInterval(() => {
    client.send(`m${++typed}`);
    client.elements.set(`e${typed}`, { typed });
  }, 1);
  for (let move = 0; move < 6; move += 1) {
    const connection = await server.connection(move);
    await until(() => expect(connection.restored).toBe(true));
    connection.migrate(move % 2 === 0 ? 'green' : 'blue');
    await until(() => expect(moves).toHaveLength(move + 1));
  }
  clearInterval(typing);
  await until(() => expect(client.unsaved).toEqual({ messages: 0, canvas: false }));
  const expected = Array.from({ length: typed }, (_, index) => `m${index + 1}`);
  expect(server.state.log.map((message) => message.text)).toEqual(expected);
  await until(() => expect(texts).toEqual(expected));
  expect(server.state.doc.getMap('elements').size).toBe(typed);
});

test('a failed move leaves the client where it is', async () => {
  const { client, moves, statuses } = await join();
  server.refuse = (query) => (query.has('ticket') ? 4401 : null);
  server.connections[0]!.migrate('green');
  await until(() => expect(server.refusals).toBe(1));
  server.refuse = () => null;
  client.send('still on blue');
  await until(() => expect(client.pending).toEqual([]));
  expect(statuses).toEqual([]);
  server.connections[0]!.migrate('green');
  await until(() => expect(moves).toHaveLength(1));
});

test('a bad ticket while the old connection dies is no reason to stay away', async () => {
  const { statuses } = await join();
  server.refuse = (query) => (query.has('ticket') ? 4401 : null);
  const [old] = server.connections;
  old!.migrate('green');
  old!.socket.terminate();
  await until(() => expect(statuses.at(-1)).toBe('restored'));
});

test('asked again for the same target, a move continues', async () => {
  const { moves } = await join();
  const [old] = server.connections;
  old!.migrate('green', 'first');
  old!.migrate('green', 'second');
  await until(() => expect(moves).toHaveLength(1));
  expect(server.connections.slice(1).map(({ query }) => query.get('ticket'))).toEqual(['first']);
});

test('a restore during a move names the generation of its own connection', async () => {
  const { client } = await join();
  const [old] = server.connections;
  server.fault = (connection, frame) => connection !== old && frame.type === 'restore_session';
  old!.migrate('green');
  await server.connection(1);
  await until(() => expect(server.connections[1]!.received).toHaveLength(1));
  // A hole: the client asks for a restore on the connection that it still uses.
  for (const n of [1, 2]) server.state.log.push({ client_id: 'c-other', n, text: `${n}`, at: 1 });
  old!.send(server.state.event(1));
  const generations = (): unknown[] =>
    old!.received.filter(({ type }) => type === 'restore_session').map(({ generation }) => generation);
  await until(() => expect(generations()).toHaveLength(2));
  expect(generations()).toEqual([1, 1]);
  expect(client.status).toBe('restored');
});

test('when the old connection dies and the move hangs, the client returns without a ticket', async () => {
  const { statuses } = await join();
  const [old] = server.connections;
  server.fault = (connection, frame) => connection.query.has('ticket') && frame.type === 'restore_session';
  old!.migrate('green');
  await server.connection(1);
  old!.socket.terminate();
  await until(() => expect(statuses).toEqual(['reconnecting', 'restored']));
  expect(server.connections.at(-1)!.query.has('ticket')).toBe(false);
});

test('the server’s word for another target replaces the first', async () => {
  const { client, moves } = await join();
  const [old] = server.connections;
  old!.migrate('green');
  old!.migrate('blue');
  old!.migrate('green', 'latest');
  await until(() => expect(moves).toHaveLength(1));
  expect(client.server).toEqual(green);
  const held = server.connections.filter(({ socket }) => socket.readyState === socket.OPEN);
  await until(() => expect(server.state.connections.size).toBe(1));
  expect(held.at(-1)!.query.get('ticket')).toBe('latest');
});

test('a loss that ends on another colour tells how long it was', async () => {
  const { moves } = await join();
  server.fault = () => {
    server.identity = green;
    return false;
  };
  server.connections[0]!.socket.terminate();
  await until(() => expect(moves).toHaveLength(1));
  expect(moves[0]).toMatchObject({ version: 'v1.1', colour: 'green' });
  expect(moves[0]!.gap_ms).toBeGreaterThanOrEqual(0);
});
