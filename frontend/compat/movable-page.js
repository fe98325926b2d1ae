/** What runs in the browser: a stock y-websocket client and a JSON client, both over MovableSocket. */
import { isshoniCanvas, MovableSocket } from '@isshoni/movable-socket';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

const { clearInterval, location, setInterval, URLSearchParams } = globalThis;
const url = `${location.origin.replace('http', 'ws')}/ws`;
const session = new URLSearchParams(location.search).get('session');
const moves = [];
const onMove = (move) => moves.push(move);

class Drawer {
  states = [];
  drawn = 0;

  constructor() {
    const doc = new Y.Doc();
    this.elements = doc.getMap('elements');
    const announce = (move) => {
      onMove(move);
      awareness.setLocalState(awareness.getLocalState());
    };
    const WebSocketPolyfill = MovableSocket.with({ ...isshoniCanvas(), onMove: announce });
    this.provider = new WebsocketProvider(url, session, doc, { WebSocketPolyfill, disableBc: true });
    const { awareness } = this.provider;
    awareness.setLocalState({ name: 'drawer' });
    this.provider.on('status', ({ status }) => this.states.push(status));
  }

  work() {
    this.elements.set(`drawn-${this.drawn++}`, { type: 'pen' });
  }
}

class Chatter {
  sent = 0;
  acks = [];
  closes = 0;
  texts = [];
  generation = 0;

  constructor() {
    const preamble = () => [this.restore()];
    const dedupe = (data) => (JSON.parse(data).type === 'chat' ? data : null);
    this.socket = new MovableSocket(`${url}/${session}`, undefined, { preamble, dedupe, onMove });
    this.socket.onopen = () => this.socket.send(this.restore());
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    this.socket.onclose = () => (this.closes += 1);
  }

  restore() {
    const { position, generation } = this;
    this.generation += 1;
    const who = { session_id: session, client_id: 'chatter', generation, position };
    return JSON.stringify({ type: 'restore_session', ...who, can: ['migrate', 'canvas'] });
  }

  receive(message) {
    if (message.type === 'session_restored') {
      message.chat_history.forEach((event) => this.take(event));
      this.position = message.position;
    } else if (message.type === 'chat') this.take(message);
    else if (message.type === 'ack') this.acks.push(message.n);
  }

  take({ seq, text, epoch }) {
    if (this.position && seq <= this.position.seq) return;
    this.position = { epoch: epoch ?? this.position?.epoch, seq };
    this.texts.push(text);
  }

  work() {
    if (!this.position) return;
    this.sent += 1;
    this.socket.send(JSON.stringify({ type: 'chat', n: this.sent, text: `said-${this.sent}` }));
  }
}

const [drawer, chatter] = [new Drawer(), new Chatter()];

/** A client on the other server, without MovableSocket: it sees who leaves. */
const watcher = new WebsocketProvider(url, session, new Y.Doc(), { params: { at: 'green' }, disableBc: true });
const left = [];
watcher.awareness.on('change', ({ removed }) => left.push(...removed));

let working;
globalThis.start = () => (working = setInterval(() => (drawer.work(), chatter.work()), 20));
globalThis.stop = () => clearInterval(working);
globalThis.report = () => ({
  moves,
  states: drawer.states,
  drawn: drawer.drawn,
  seen: [...drawer.elements.keys()],
  left: left.length,
  sent: chatter.sent,
  acks: chatter.acks,
  closes: chatter.closes,
  texts: chatter.texts,
});
