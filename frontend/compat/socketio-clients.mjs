/**
 * Stock Socket.IO clients that chat: each message has an attachment and asks for an acknowledgement.
 *
 *     node compat/socketio-clients.mjs URL COUNT ROOMS EVERY_MS
 *
 * A line on stdin is an order: `stop` ends the sending, `report` prints one line of JSON, and the end
 * of stdin ends everything.
 */
import { createInterface } from 'node:readline';
import { clearInterval, setInterval, setTimeout } from 'node:timers';
import { io } from 'socket.io-client';

const [url, count, rooms, everyMs] = process.argv.slice(2);

class Member {
  sent = [];
  got = [];
  acknowledged = 0;
  questions = 0;
  hellos = 0;
  ends = 0;
  broken = 0;

  constructor(number) {
    this.number = number;
    this.room = `r${number % Number(rooms)}`;
    this.socket = io(url, { transports: ['websocket'], auth: { room: this.room }, forceNew: true });
    this.socket.on('disconnect', () => (this.ends += 1));
    this.socket.on('connect_error', () => (this.ends += 1));
    this.socket.on('hello', () => (this.hellos += 1));
    this.socket.on('question', (value, answer) => {
      this.questions += 1;
      setTimeout(() => answer(value), 10);
    });
    this.socket.on('message', (id, bytes) => {
      this.got.push(id);
      if (bytes.length !== 3) this.broken += 1;
    });
  }

  send() {
    const id = `${this.number}:${this.sent.length}`;
    this.sent.push(id);
    this.socket.emit('message', id, new Uint8Array([1, 2, 3]), () => (this.acknowledged += 1));
  }
}

const members = Array.from({ length: Number(count) }, (_, number) => new Member(number));
let sending = 0;
const orders = {
  start: () => {
    sending = setInterval(() => members.forEach((member) => member.send()), Number(everyMs));
  },
  stop: () => clearInterval(sending),
  report: () => {
    const report = members.map((member) => ({ ...member, socket: undefined }));
    console.log(JSON.stringify(report));
  },
};
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => orders[line]());
lines.on('close', () => process.exit(0));
