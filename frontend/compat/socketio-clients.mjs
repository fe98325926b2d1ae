/**
 * Stock Socket.IO clients that chat: each message has an attachment and asks for an acknowledgement.
 * Each client has a second namespace on the same socket.
 *
 *     [PARSER=msgpack] node compat/socketio-clients.mjs URL COUNT ROOMS EVERY_MS [TRANSPORTS]
 *
 * A line on stdin is an order: `stop` ends the sending, `report` prints one line of JSON, and the end
 * of stdin ends everything.
 */
import { createInterface } from 'node:readline';
import { clearInterval, setInterval, setTimeout } from 'node:timers';
import { Manager } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';

const [url, count, rooms, everyMs, transports = 'websocket'] = process.argv.slice(2);
const options = { transports: transports.split(','), ...(process.env.PARSER ? { parser } : {}) };

class Member {
  sent = [];
  got = [];
  sentNews = [];
  gotNews = [];
  acknowledged = 0;
  questions = 0;
  hellos = 0;
  ends = 0;
  broken = 0;

  constructor(number) {
    this.number = number;
    this.room = `r${number % Number(rooms)}`;
    const auth = { room: this.room };
    const manager = new Manager(url, options);
    this.socket = manager.socket('/', { auth });
    this.news = manager.socket('/news', { auth });
    for (const socket of [this.socket, this.news]) {
      socket.on('disconnect', () => (this.ends += 1));
      socket.on('connect_error', () => (this.ends += 1));
    }
    this.socket.on('hello', () => (this.hellos += 1));
    this.socket.on('question', (value, answer) => {
      this.questions += 1;
      setTimeout(() => answer(value), 10);
    });
    this.socket.on('message', (id, bytes) => {
      this.got.push(id);
      if (bytes.length !== 3) this.broken += 1;
    });
    this.news.on('news', (id) => this.gotNews.push(id));
  }

  send() {
    const id = `${this.number}:${this.sent.length}`;
    this.sent.push(id);
    this.socket.emit('message', id, new Uint8Array([1, 2, 3]), () => (this.acknowledged += 1));
    this.sentNews.push(id);
    this.news.emit('news', id);
  }

  report() {
    return { ...this, id: this.socket.id, socket: undefined, news: undefined };
  }
}

const members = Array.from({ length: Number(count) }, (_, number) => new Member(number));
let sending = 0;
const orders = {
  start: () => {
    sending = setInterval(() => members.forEach((member) => member.send()), Number(everyMs));
  },
  stop: () => clearInterval(sending),
  report: () => console.log(JSON.stringify(members.map((member) => member.report()))),
};
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => orders[line]());
lines.on('close', () => process.exit(0));
