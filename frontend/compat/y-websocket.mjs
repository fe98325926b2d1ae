/**
 * Stock y-websocket clients that draw: what the tests of compatibility talk to.
 *
 *     node compat/y-websocket.mjs WS_URL SESSION COUNT EVERY_MS
 *
 * A line on stdin is an order: `stop` ends the drawing, `report` prints one line of JSON,
 * `{"drawn", "documents", "gaps_ms"}`, and the end of stdin ends everything.
 */
import { createInterface } from 'node:readline';
import { performance } from 'node:perf_hooks';
import { clearInterval, setInterval } from 'node:timers';
import { WebsocketProvider } from 'y-websocket';
import { WebSocket } from 'ws';
import * as Y from 'yjs';

process.setMaxListeners(0); // each provider listens for the end of the process
const [url, session, count, everyMs] = process.argv.slice(2);

class Drawer {
  drawn = [];
  gapsMs = [];
  #lostAt = null;

  constructor(name) {
    this.name = name;
    this.doc = new Y.Doc();
    this.elements = this.doc.getMap('elements');
    this.provider = new WebsocketProvider(`${url}/ws`, session, this.doc, {
      WebSocketPolyfill: WebSocket,
      disableBc: true,
    });
    this.provider.on('status', ({ status }) => {
      if (status === 'disconnected') this.#lostAt ??= performance.now();
    });
    this.provider.on('sync', (isSynced) => {
      if (!isSynced || this.#lostAt === null) return;
      this.gapsMs.push(performance.now() - this.#lostAt);
      this.#lostAt = null;
    });
    this.provider.awareness.setLocalState({ name });
  }

  draw() {
    const id = `${this.name}-${this.drawn.length}`;
    this.drawn.push(id);
    this.elements.set(id, { type: 'pen', by: this.name });
  }
}

const drawers = Array.from({ length: Number(count) }, (_, index) => new Drawer(`y${index}`));
const drawing = setInterval(() => drawers.forEach((drawer) => drawer.draw()), Number(everyMs));

const orders = {
  stop: () => clearInterval(drawing),
  report: () =>
    console.log(
      JSON.stringify({
        drawn: drawers.flatMap(({ drawn }) => drawn),
        documents: drawers.map(({ elements }) => [...elements.keys()].sort()),
        people: drawers.map(({ provider }) => provider.awareness.getStates().size),
        gaps_ms: drawers.flatMap(({ gapsMs }) => gapsMs),
      }),
    ),
};

const lines = createInterface({ input: process.stdin });
lines.on('line', (order) => orders[order]());
lines.on('close', () => process.exit(0));
