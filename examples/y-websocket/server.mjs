/**
 * The server of y-websocket, as its README starts it:
 *
 *     node server.mjs PORT
 *
 * Added: Redis between the processes, in redis.mjs.
 */
import { setPersistence, setupWSConnection } from '@y/websocket-server/utils';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

import { persistence } from './redis.mjs';

setPersistence(persistence);

const wss = new WebSocketServer({ noServer: true });
const server = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.end('okay');
});

wss.on('connection', setupWSConnection);

server.on('upgrade', (request, socket, head) => {
  wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
});

server.listen(Number(process.argv[2]), '127.0.0.1');
