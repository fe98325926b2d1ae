/**
 * Stock clients of the applications in examples/: each says numbered things and keeps what it gets.
 *
 *     node compat/example-clients.mjs KIND URL COUNT ROOMS EVERY_MS
 *
 * KIND is `socket.io`, `y-websocket` or `hocuspocus`. A line on stdin is an order: `start` and `stop` begin and end
 * the talking, `report` prints one line of JSON, `[{"name", "room", "sent", "got", "ends", "left", "open"}]`, `left`
 * being how often a client saw another one leave; the end of stdin ends everything.
 */
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { createInterface } from 'node:readline';
import { clearInterval, setInterval } from 'node:timers';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

process.setMaxListeners(0); // each y-websocket provider listens for the end of the process
const [kind, url, count, rooms, everyMs] = process.argv.slice(2);

class Member {
  sent = [];
  got = [];
  ends = 0;
  left = 0;
  open = false;

  constructor(number) {
    this.name = `m${number}`;
    this.room = `r${number % Number(rooms)}`;
  }

  say() {
    const id = `${this.name}:${this.sent.length}`;
    this.sent.push(id);
    this.send(id);
  }

  report() {
    const { name, room, sent, got, ends, left, open } = this;
    return { name, room, sent, got, ends, left, open };
  }
}

class SocketIoMember extends Member {
  constructor(number) {
    super(number);
    this.socket = io(url, { transports: ['websocket'], forceNew: true });
    this.socket.on('connect', () => (this.open = true));
    this.socket.on('disconnect', () => (this.ends += 1));
    this.socket.on('connect_error', () => (this.ends += 1));
    this.socket.on('chat message', (id) => this.got.push(id));
  }

  send(id) {
    this.socket.emit('chat message', id);
  }
}

/** Writes to a shared array; what it got is what the array has. */
class YjsMember extends Member {
  doc = new Y.Doc();
  said = this.doc.getArray('said');

  watch(provider) {
    this.provider = provider;
    provider.awareness.setLocalState({ name: this.name });
    provider.awareness.on('change', ({ removed }, origin) => {
      if (removed.length === 0) return;
      this.left += removed.length;
      const reason = typeof origin === 'string' ? origin : 'a message';
      console.error(`${new Date().toISOString()} ${this.name} (${this.doc.clientID}) saw ${removed} leave: ${reason}`);
    });
  }

  send(id) {
    this.said.push([id]);
  }

  report() {
    return { ...super.report(), got: this.said.toArray(), open: this.isSynced() };
  }
}

class YWebsocketMember extends YjsMember {
  constructor(number) {
    super(number);
    this.watch(new WebsocketProvider(url, this.room, this.doc, { WebSocketPolyfill: WebSocket, disableBc: true }));
    this.provider.on('connection-close', () => (this.ends += 1));
  }

  isSynced() {
    return this.provider.synced;
  }
}

class HocuspocusMember extends YjsMember {
  constructor(number) {
    super(number);
    const websocketProvider = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket });
    const onClose = () => (this.ends += 1);
    this.watch(new HocuspocusProvider({ websocketProvider, name: this.room, document: this.doc, token: 'token', onClose }));
    this.provider.attach();
  }

  isSynced() {
    return this.provider.isSynced && !this.provider.hasUnsyncedChanges;
  }
}

const kinds = { 'socket.io': SocketIoMember, 'y-websocket': YWebsocketMember, hocuspocus: HocuspocusMember };
const members = Array.from({ length: Number(count) }, (_, number) => new kinds[kind](number));
let talking = 0;
let turn = 0;
const orders = {
  start: () => {
    talking = setInterval(() => members[turn++ % members.length].say(), Number(everyMs) / members.length);
  },
  stop: () => clearInterval(talking),
  report: () => console.log(JSON.stringify(members.map((member) => member.report()))),
};
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => orders[line]());
lines.on('close', () => process.exit(0));
