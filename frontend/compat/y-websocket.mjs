/**
 * Stock y-websocket clients that draw: what the tests of compatibility talk to.
 *
 *     node compat/y-websocket.mjs WS_URL SESSION COUNT EVERY_MS
 *
 * A line on stdin is an order: `stop` ends the drawing, `paste BYTES [ID]` sets one element of that size,
 * `erase ID` deletes one, both by the first client, `report` prints one line of JSON, `{"drawn", "documents", "gaps_ms", "connects", "stays_away", "removed"}`, the last
 * how often one of them saw another client leave, and the
 * end of stdin ends everything.
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
  connects = 0;
  removed = 0;
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
      if (status === 'connected') this.connects += 1;
      if (status === 'disconnected') this.#lostAt ??= performance.now();
    });
    this.provider.on('sync', (isSynced) => {
      if (!isSynced || this.#lostAt === null) return;
      this.gapsMs.push(performance.now() - this.#lostAt);
      this.#lostAt = null;
    });
    this.provider.awareness.on('change', ({ removed }) => (this.removed += removed.length));
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
  paste: (bytes, id = 'pasted') => drawers[0].elements.set(id, 'x'.repeat(Number(bytes))),
  erase: (id) => drawers[0].elements.delete(id),
  report: () =>
    console.log(
      JSON.stringify({
        drawn: drawers.flatMap(({ drawn }) => drawn),
        documents: drawers.map(({ elements }) => [...elements.keys()].sort()),
        people: drawers.map(({ provider }) => provider.awareness.getStates().size),
        gaps_ms: drawers.flatMap(({ gapsMs }) => gapsMs),
        connects: drawers.map(({ connects }) => connects),
        removed: drawers.reduce((sum, { removed }) => sum + removed, 0),
        stays_away: drawers.map(({ provider }) => !provider.shouldConnect),
      }),
    ),
};

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const [order, ...values] = line.split(' ');
  orders[order](...values);
});
lines.on('close', () => process.exit(0));
