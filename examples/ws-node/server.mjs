/**
 * The broadcast server of the README of ws ("Server broadcast"):
 *
 *     node server.mjs PORT
 *
 * Added: what a client sends goes through Redis, so that the clients of every process get it, and an
 * answer to HTTP requests, so that it can be seen that the server is ready.
 */
import { createServer } from 'node:http';
import { createClient } from 'redis';
import { WebSocket, WebSocketServer } from 'ws';

const publisher = createClient({ url: process.env.REDIS_URL });
const subscriber = publisher.duplicate();
for (const client of [publisher, subscriber]) {
  client.on('error', console.error);
  await client.connect();
}

const server = createServer((request, response) => response.end('ready\n'));
const wss = new WebSocketServer({ server });

await subscriber.subscribe('broadcast', (text) => {
  wss.clients.forEach((client) => {
    if (client.readyState === WebSocket.OPEN) {
      client.send(text);
    }
  });
});

wss.on('connection', (ws) => {
  ws.on('error', console.error);

  ws.on('message', (data) => {
    publisher.publish('broadcast', data.toString()).catch(console.error);
  });
});

server.listen(Number(process.argv[2]), '127.0.0.1');
