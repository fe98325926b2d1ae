/**
 * A process of stock clients for `isshoni verify`: the plan is the first line on stdin, then come
 * orders; the end of stdin ends everything.
 */
import { createInterface } from 'node:readline';
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers';
import { flush, report } from './reports.mjs';

const FRESH_MS = 5000; // how long a newcomer may take to have the whole document
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => {
  const { value, done } = await lines.next();
  return done ? null : JSON.parse(value);
};
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

process.setMaxListeners(0); // each y-websocket provider listens for the end of the process
process.on('SIGINT', () => {}); // the run decides, and closes stdin
process.on('uncaughtException', (error) => {
  report('trouble', `A stock client's library failed: ${String(error?.message ?? error)}.`);
});
process.on('unhandledRejection', (error) => {
  report('trouble', `A stock client's library failed: ${String(error?.message ?? error)}.`);
});

const plan = await next();
const Client =
  plan.kind === 'socket.io'
    ? (await import('./socketio.mjs')).SocketIoClient
    : (await import('./yjs.mjs')).YjsClient;
report('started');
const clients = new Map();
let timers = [];

async function connect() {
  for (const one of plan.clients) {
    clients.set(one.number, new Client(one, plan));
    await wait(1000 / plan.connects_per_second);
  }
}

function talk() {
  const every = plan.every_seconds * 1000;
  [...clients.values()].forEach((client, place) => {
    const begin = setTimeout(
      () => {
        client.send();
        timers.push(setInterval(() => client.send(), every));
      },
      (place * every) / clients.size,
    );
    timers.push(begin);
  });
}

function stop() {
  for (const timer of timers) {
    clearTimeout(timer);
    clearInterval(timer);
  }
  timers = [];
}

/** Reads each document by the clients, and by a newcomer, who gets it from the server alone. */
async function read() {
  for (const client of clients.values()) client.read?.();
  const newcomers = plan.probe_rooms.map((room) => {
    const like = plan.clients.find((one) => one.room === room);
    return new Client({ ...like, number: -1 }, plan);
  });
  await Promise.all(newcomers.map((one) => readWhenOpen(one)));
}

async function readWhenOpen(client) {
  const end = Date.now() + FRESH_MS;
  while (!client.isOpen && Date.now() < end) await wait(20);
  await wait(200);
  client.read('a newcomer');
  client.stop();
}

const orders = {
  trial: ({ client, id }) => clients.get(client)?.trial(id),
  talk,
  stop,
  read: async () => {
    if (plan.kind !== 'socket.io') await read();
    report('read');
  },
};

void connect();
for (let order = await next(); order !== null; order = await next()) await orders[order.do](order);
stop();
for (const client of clients.values()) client.stop();
flush();
setTimeout(() => process.exit(0), 50);
