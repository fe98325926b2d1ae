/**
 * The chat of Socket.IO's tutorial ("Get started"):
 *
 *     node server.mjs PORT
 *
 * Added: the Redis streams adapter, with which the clients of every process get each message.
 */
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const page = await readFile(new URL('index.html', import.meta.url));
const redis = createClient({ url: process.env.REDIS_URL });
redis.on('error', console.error);
await redis.connect();

const server = createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html' });
  response.end(page);
});
const io = new Server(server, { adapter: createAdapter(redis) });

io.on('connection', (socket) => {
  socket.on('chat message', (msg) => {
    io.emit('chat message', msg);
  });
});

server.listen(Number(process.argv[2]), '127.0.0.1');
