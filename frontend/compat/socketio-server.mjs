/**
 * A Socket.IO chat as its users run it, with the Redis streams adapter: one of two processes.
 *
 *     REDIS_URL=… COLOUR=blue [RECOVERY=1] [PARSER=msgpack] node compat/socketio-server.mjs PORT
 */
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { createServer } from 'node:http';
import { clearInterval, setInterval } from 'node:timers';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import parser from 'socket.io-msgpack-parser';

const redis = createClient({ url: process.env.REDIS_URL });
redis.on('error', () => {});
await redis.connect();
const http = createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(process.env.COLOUR));
});
const io = new Server(http, {
  adapter: createAdapter(redis),
  path: process.env.SOCKET_PATH ?? '/socket.io/',
  pingInterval: 700,
  pingTimeout: 20_000,
  ...(process.env.RECOVERY ? { connectionStateRecovery: {} } : {}),
  ...(process.env.PARSER ? { parser } : {}),
});
io.on('connection', (socket) => {
  const { room } = socket.handshake.auth;
  socket.join(room);
  socket.emit('hello', process.env.COLOUR);
  socket.on('message', (id, bytes, acknowledge) => {
    io.to(room).emit('message', id, bytes);
    io.to(room).volatile.emit('seen', id);
    acknowledge('ok');
  });
  const asking = setInterval(() => socket.timeout(5000).emit('question', 1, () => {}), 400);
  socket.on('disconnect', () => clearInterval(asking));
});
io.of('/news').on('connection', (socket) => {
  const { room } = socket.handshake.auth;
  socket.join(room);
  socket.on('news', (id) => io.of('/news').to(room).emit('news', id));
});
http.listen(Number(process.argv[2]), '127.0.0.1');
