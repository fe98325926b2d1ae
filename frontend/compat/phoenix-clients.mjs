/**
 * Stock Phoenix clients that chat: each has two channels, pushes text and bytes, and awaits replies.
 *
 *     node compat/phoenix-clients.mjs URL COUNT ROOMS EVERY_MS
 *
 * A line on stdin is an order: `start` and `stop` concern the sending, `report` prints one line of JSON,
 * and the end of stdin ends everything.
 */
import { createInterface } from 'node:readline';
import { clearInterval, setInterval } from 'node:timers';
import { TextDecoder, TextEncoder } from 'node:util';
import { Socket } from 'phoenix';
import { WebSocket } from 'ws';

const [url, count, rooms, everyMs] = process.argv.slice(2);

class Member {
  sent = [];
  got = [];
  sentNews = [];
  gotNews = [];
  replies = 0;
  refused = 0;
  hellos = 0;
  ends = 0;

  constructor(number) {
    this.number = number;
    this.room = `r${number % Number(rooms)}`;
    const socket = new Socket(url, { transport: WebSocket, heartbeatIntervalMs: 3000 });
    socket.onClose(() => (this.ends += 1));
    socket.onError(() => (this.ends += 1));
    socket.connect();
    this.chat = this.join(socket, `room:${this.room}`);
    this.chat.on('say', ({ id }) => this.got.push(id));
    this.news = this.join(socket, `news:${this.room}`);
    this.news.on('bytes', (bytes) => this.gotNews.push(new TextDecoder().decode(bytes)));
  }

  join(socket, topic) {
    const channel = socket.channel(topic, { token: 'a' });
    channel.on('hello', () => (this.hellos += 1));
    channel.onError(() => (this.ends += 1));
    channel.onClose(() => (this.ends += 1));
    channel.join();
    return channel;
  }

  send() {
    const id = `${this.number}:${this.sent.length}`;
    for (const push of [
      this.chat.push('say', { id }),
      this.news.push('bytes', new TextEncoder().encode(id).buffer),
    ]) {
      push.receive('ok', () => (this.replies += 1)).receive('error', () => (this.refused += 1));
    }
    this.chat.push('quiet', { id });
    this.sent.push(id);
    this.sentNews.push(id);
  }

  report() {
    return { ...this, chat: undefined, news: undefined };
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
