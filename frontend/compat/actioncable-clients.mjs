/**
 * Stock Action Cable clients that chat in two channels each.
 *
 *     node compat/actioncable-clients.mjs URL COUNT ROOMS EVERY_MS
 *
 * A line on stdin is an order: `start` and `stop` concern the sending, `report` prints one line of JSON,
 * and the end of stdin ends everything.
 */
import { createInterface } from 'node:readline';
import { clearInterval, setInterval } from 'node:timers';
import { WebSocket } from 'ws';

const page = { addEventListener() {}, removeEventListener() {}, visibilityState: 'visible' };
Object.assign(globalThis, { WebSocket, window: globalThis, document: page, ...page });
const { adapters, createConsumer } = await import('@rails/actioncable');
adapters.WebSocket = WebSocket;

const [url, count, rooms, everyMs] = process.argv.slice(2);

class Member {
  sent = [];
  got = [];
  sentNews = [];
  gotNews = [];
  hellos = 0;
  connects = 0;
  ends = 0;

  constructor(number) {
    this.number = number;
    this.room = `r${number % Number(rooms)}`;
    const consumer = createConsumer(url);
    this.chat = this.subscribe(consumer, this.room, this.got);
    this.news = this.subscribe(consumer, `${this.room}-news`, this.gotNews);
  }

  subscribe(consumer, room, got) {
    return consumer.subscriptions.create(
      { channel: 'ChatChannel', room },
      {
        connected: () => (this.connects += 1),
        disconnected: () => (this.ends += 1),
        rejected: () => (this.ends += 1),
        received: (data) => (data.hello ? (this.hellos += 1) : got.push(data.id)),
      },
    );
  }

  send() {
    const id = `${this.number}:${this.sent.length}`;
    this.sent.push(id);
    this.chat.perform('speak', { id });
    this.sentNews.push(id);
    this.news.perform('speak', { id });
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
