/**
 * Chats of one process, with rooms in memory: what a tutorial's first page has.
 *
 *     node compat/room-server.mjs ws|socket.io PORT
 */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';

const [kind, port] = process.argv.slice(2);
const http = createServer((_, response) => response.end('ok'));

const kinds = {
  ws: () => {
    const rooms = new Map();
    new WebSocketServer({ server: http }).on('connection', (socket, { url }) => {
      const room = rooms.get(url) ?? rooms.set(url, new Set()).get(url);
      room.add(socket);
      socket.on('message', (data) => room.forEach((member) => member.send(String(data))));
      socket.on('close', () => room.delete(socket));
    });
  },
  'socket.io': () => {
    new Server(http).on('connection', (socket) => {
      socket.on('join', (room) => socket.join(room));
      socket.on('message', (text, acknowledge) => {
        const [, room] = [...socket.rooms];
        socket.to(room ?? []).emit('message', text);
        acknowledge?.('ok');
      });
    });
  },
};
kinds[kind]();
http.listen(Number(port), '127.0.0.1');
