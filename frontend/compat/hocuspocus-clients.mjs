/**
 * Stock Hocuspocus clients that write: each has one socket, and several documents on it.
 *
 *     node compat/hocuspocus-clients.mjs WS_URL COUNT DOCUMENTS EVERY_MS TOKEN PREFIX
 *
 * A line on stdin is an order: `start` and `stop` the writing, `report` prints one line of JSON with
 * an entry for each client and document, and the end of stdin ends everything.
 */
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { createInterface } from 'node:readline';
import { clearInterval, setInterval } from 'node:timers';
import { WebSocket } from 'ws';
import * as Y from 'yjs';

const [url, count, documents, everyMs, token, prefix] = process.argv.slice(2);

class Writer {
  written = [];
  closes = 0;
  refusals = 0;
  removed = 0;

  constructor(socket, number, document) {
    this.number = number;
    this.document = `${prefix}${document}`;
    this.doc = new Y.Doc();
    this.lines = this.doc.getArray('lines');
    this.provider = new HocuspocusProvider({
      websocketProvider: socket,
      name: this.document,
      document: this.doc,
      token,
      onClose: () => (this.closes += 1),
      onAuthenticationFailed: () => (this.refusals += 1),
    });
    this.provider.attach();
    this.provider.awareness.setLocalStateField('user', { number });
    this.provider.awareness.on('change', ({ removed }) => (this.removed += removed.length));
  }

  write() {
    const id = `${this.number}/${this.document}:${this.written.length}`;
    this.written.push(id);
    this.lines.push([id]);
    this.provider.awareness.setLocalStateField('line', id);
  }

  report() {
    const { number, document, written, closes, refusals, removed, provider } = this;
    return {
      ...{ number, document, written, closes, refusals, removed },
      lines: this.lines.toArray(),
      present: provider.awareness.getStates().size,
      unsynced: provider.unsyncedChanges,
      synced: provider.synced,
    };
  }
}

const writers = Array.from({ length: Number(count) }, (_, number) => {
  const socket = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket });
  return Array.from({ length: Number(documents) }, (_, document) => new Writer(socket, number, document));
}).flat();

let writing = 0;
const orders = {
  start: () => (writing = setInterval(() => writers.forEach((one) => one.write()), Number(everyMs))),
  stop: () => clearInterval(writing),
  report: () => console.log(JSON.stringify(writers.map((one) => one.report()))),
};
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => orders[line]());
lines.on('close', () => process.exit(0));
