/**
 * A Socket.IO server that answers what the cases of the protocol's own test suites ask.
 *
 *     PING_TIMEOUT=20000 node compat/protocol-server.mjs PORT
 */
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(process.env.COLOUR));
});
const pingTimeout = Number(process.env.PING_TIMEOUT ?? 20000);
const io = new Server(http, { pingInterval: 1000, pingTimeout, maxHttpBufferSize: 1e6 });
const serve = (socket) => {
  socket.emit('auth', socket.handshake.auth);
  socket.on('message', (...values) => socket.emit('message-back', ...values));
  socket.on('message-with-ack', (...values) => values.pop()(...values));
};
io.on('connection', serve);
io.of('/custom').on('connection', serve);
http.listen(Number(process.argv[2]), '127.0.0.1');
