import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { IsshoniClient, type Token } from '../src/index.js';
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

const until = (assertion: () => void): Promise<void> => vi.waitFor(assertion, { timeout: 3000, interval: 5 });

function join(token: Token): IsshoniClient {
  const client = new IsshoniClient(server.url, 'team', {
    WebSocket: NodeWebSocket as unknown as typeof WebSocket,
    backoff: QUICKLY,
    token,
  });
  clients.push(client);
  client.connect();
  return client;
}

/** A permit for the `index`-th token ever given. */
const permit = (expires_in_ms: number) => ({ subject: 'ann', role: 'write', expires_in_ms, name: null });

test.each(['t&1', 't&1\n'])('a token is brought along, and on a move the ticket alone', async (token) => {
  const client = join(token);
  await until(() => expect(client.status).toBe('restored'));
  expect(server.connections[0]!.query.get('token')).toBe('t&1');
  server.connections[0]!.migrate('green');
  const moved = await server.connection(1);
  expect([moved.query.get('token'), moved.query.get('ticket')]).toEqual([null, 'ticket']);
});

test('a fresh token is sent before the one that holds is over', async () => {
  let given = 0;
  server.permit = permit(80);
  const client = join(() => Promise.resolve(`t${(given += 1)}`));
  await until(() => expect(client.permit?.subject).toBe('ann'));
  const sent = (): unknown[] =>
    server.connections[0]!.received.filter(({ type }) => type === 'authenticate').map(({ token }) => token);
  await until(() => expect(sent()).toEqual(['t2']));
  server.connections[0]!.send({ type: 'authenticated', permit: permit(80) });
  await until(() => expect(sent()).toEqual(['t2', 't3']));
});

test('with a token that ran out a fresh one is tried, and after a few we believe it', async () => {
  let given = 0;
  server.refuse = (query) => (query.get('token') === 't3' ? null : 4401);
  const client = join(() => `t${(given += 1)}`);
  await until(() => expect(client.status).toBe('restored'));
  server.refuse = () => 4401;
  server.connections[0]!.socket.close(4401);
  await until(() => expect(client.status).toBe('refused'));
  expect(given).toBeLessThanOrEqual(7);
});

test('a token that cannot be had just now is asked for again', async () => {
  let asked = 0;
  const client = join(() => {
    asked += 1;
    if (asked < 3) throw new Error('the shop is closed');
    return 'good';
  });
  await until(() => expect(client.status).toBe('restored'));
  expect(server.connections[0]!.query.get('token')).toBe('good');
});

test('a fixed token that is refused is not brought again', async () => {
  server.refuse = () => 4401;
  const client = join('bad');
  await until(() => expect(client.status).toBe('refused'));
  expect(server.refusals).toBe(1);
});
