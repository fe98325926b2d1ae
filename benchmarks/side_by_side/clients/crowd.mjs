// Stock clients of one kind that send and receive through a deploy, and the ledger of what came.
//   node crowd.mjs KIND HOST:PORT RUN CLIENTS ROOMS MESSAGES_PER_SECOND
// Prints {"ready": N}; sends until it reads a line; then waits for what is on its way, and prints
// the ledger. A message counts as sent as soon as the client's own library has taken it.
import { createRequire } from "node:module";

const load = createRequire(process.env.PEERS_MODULES + "/package.json");
const SETTLE_MS = 8000;
const QUIET_MS = 1500;

const [kind, address, run, clientCount, roomCount, rate] = process.argv.slice(2);
const clients = [];
const sent = new Map(); // id -> room
let lastDelivery = performance.now();
let ending = false;

class Client {
  constructor(number) {
    this.number = number;
    this.room = `d${run}-${number % Number(roomCount)}`;
    this.received = new Map();
    this.gapMs = 0;
    this.cuts = 0;
    this.lostAt = null;
    this.ready = false;
  }

  opened() {
    if (this.lostAt !== null) this.gapMs += performance.now() - this.lostAt;
    this.lostAt = null;
    this.ready = true;
  }

  closed() {
    if (ending || !this.ready) return;
    this.ready = false;
    this.cuts += 1;
    this.lostAt = performance.now();
  }

  got(id) {
    lastDelivery = performance.now();
    this.received.set(id, (this.received.get(id) ?? 0) + 1);
  }
}

const kinds = {
  "socket.io": (client) => {
    const { io } = load("socket.io-client");
    const socket = io(`http://${address}`, { transports: ["websocket"], forceNew: true });
    socket.on("connect", () =>
      socket.recovered ? client.opened() : socket.emit("join", client.room),
    );
    socket.on("joined", () => client.opened());
    socket.on("disconnect", () => client.closed());
    socket.on("chat", (id) => client.got(id));
    return { send: (id) => socket.emit("chat", id), end: () => socket.close() };
  },
  plain: (client) => {
    const ReconnectingWebSocket = load("reconnecting-websocket");
    const url = `ws://${address}/ws/${client.room}`;
    // The library draws its delay once a page; here each client stands for a page.
    const minReconnectionDelay = 1000 + Math.random() * 4000;
    const options = { WebSocket: load("ws"), minReconnectionDelay };
    const socket = new ReconnectingWebSocket(url, [], options);
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.joined) client.opened();
      else client.got(message.text);
    });
    socket.addEventListener("close", () => client.closed());
    return {
      send: (id) => socket.send(JSON.stringify({ text: id })),
      end: () => socket.close(),
    };
  },
  hocuspocus: (client) => {
    const { HocuspocusProvider, HocuspocusProviderWebsocket } = load("@hocuspocus/provider");
    const { Doc } = load("yjs");
    const document = new Doc();
    const log = document.getArray("log");
    const websocketProvider = new HocuspocusProviderWebsocket({
      url: `ws://${address}`,
      WebSocketPolyfill: load("ws"),
    });
    const provider = new HocuspocusProvider({
      websocketProvider,
      name: client.room,
      document,
      onSynced: () => client.opened(),
      onClose: () => client.closed(),
    });
    provider.attach();
    log.observe((event) => {
      for (const change of event.changes.delta) for (const id of change.insert ?? []) client.got(id);
    });
    const end = () => {
      provider.destroy();
      websocketProvider.destroy();
    };
    return { send: (id) => log.push([id]), end };
  },
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function settle() {
  const deadline = performance.now() + SETTLE_MS;
  lastDelivery = performance.now();
  while (performance.now() < deadline) {
    const back = clients.every((client) => client.ready);
    if (back && performance.now() - lastDelivery > QUIET_MS) return;
    await sleep(50);
  }
}

function ledger() {
  let lost = 0;
  let lostDeliveries = 0;
  let doubled = 0;
  for (const [id, room] of sent) {
    const members = clients.filter((client) => client.room === room);
    const missing = members.filter((client) => !client.received.has(id)).length;
    lost += missing > 0 ? 1 : 0;
    lostDeliveries += missing;
    doubled += members.filter((client) => (client.received.get(id) ?? 0) > 1).length > 0 ? 1 : 0;
  }
  const now = performance.now();
  return {
    clients: clients.length,
    cut: clients.filter((client) => client.cuts > 0).length,
    gaps_ms: clients.map(({ gapMs, lostAt }) => gapMs + (lostAt === null ? 0 : now - lostAt)),
    messages: sent.size,
    lost,
    lost_deliveries: lostDeliveries,
    doubled,
  };
}

const sockets = [];
for (let number = 0; number < Number(clientCount); number++) {
  const client = new Client(number);
  clients.push(client);
  sockets.push(kinds[kind](client));
}
while (!clients.every((client) => client.ready)) await sleep(20);
console.log(JSON.stringify({ ready: clients.length }));

let count = 0;
const interval = 1000 / Number(rate);
const began = performance.now();
const sending = setInterval(() => {
  while (began + count * interval <= performance.now()) {
    const number = count % clients.length;
    const id = `${number}:${count++}`;
    sent.set(id, clients[number].room);
    sockets[number].send(id);
  }
}, 5);
await new Promise((resolve) => process.stdin.once("data", resolve));
clearInterval(sending);
await settle();
ending = true;
console.log(JSON.stringify(ledger()));
process.exit(0);
