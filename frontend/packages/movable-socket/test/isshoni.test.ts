import { afterEach, beforeEach, expect, test } from 'vitest';
import { isshoniCanvas } from '../src/index.js';
import { MigratingServer, movable, until } from './server.js';

const RESTORED = '{"type":"session_restored","session_id":"room"}';
let server: MigratingServer;
let url: string;

beforeEach(async () => {
  server = new MigratingServer();
  url = await server.start();
});
afterEach(() => server.stop());

test('each server is greeted first, and sent the first sync message once it has answered', async () => {
  const { Socket, moves } = movable(isshoniCanvas());
  const socket = new Socket(`${url}/ws/room?token=t`);
  const seen: unknown[] = [];
  const codes: number[] = [];
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => socket.send('step 1');
  socket.onmessage = ({ data }) => seen.push(data);
  await until(() => server.peers.length === 1 && server.peer(0).received.length === 2);
  server.peer(0).socket.on('close', (code) => codes.push(code));
  server.peer(0).socket.send(RESTORED);
  server.migrate('green');
  await until(() => server.peers.length === 2 && server.peer(1).received.length === 1);
  expect(moves).toEqual([]); // the new server has not answered
  server.peer(1).socket.send('{"type":"chat","text":"\\"session_restored\\""}');
  server.peer(1).socket.send(RESTORED);
  await until(() => moves.length === 1 && server.peer(1).received.length === 2);
  server.peer(1).socket.send(Buffer.from([0, 1]));
  await until(() => seen.length === 1 && codes.length === 1);
  const hello = { type: 'restore_session', session_id: 'room', can: ['migrate', 'canvas'] };
  for (const { received } of server.peers) expect([JSON.parse(received[0]!), received[1]]).toEqual([hello, 'step 1']);
  expect(seen).toEqual([new Uint8Array([0, 1]).buffer]);
  expect([moves[0]?.moved, codes]).toEqual([true, [3000]]);
  socket.close();
});
