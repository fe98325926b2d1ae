/**
 * Draws on a session's canvas without a browser: sends what the page of a user who draws sends.
 *
 * That is 25 updates a second of a growing stroke, with the points of 60 pointer events a second, and
 * the pointer 16 times a second. It is a process of its own, so that the measured page has the rest of
 * the machine: a second browser that draws takes more than a core by itself, in software rendering.
 *
 *     node bench/drawer.mjs URL SESSION MS
 *
 * Writes a line when it could begin, begins at a line of input, and writes another line when it has ended.
 */
/* global performance */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebsocketProvider } from 'y-websocket';
import { WebSocket } from 'ws';
import * as Y from 'yjs';

const UPDATE_MS = 40;
const POINTER_MS = 60;
const POINT_MS = 1000 / 60;
const STROKE_MS = 1000;

const [url, session, ms] = process.argv.slice(2);
const doc = new Y.Doc();
const provider = new WebsocketProvider(`${url.replace('http', 'ws')}/ws`, session, doc, { WebSocketPolyfill: WebSocket, disableBc: true });
await new Promise((resolve) => provider.once('sync', resolve));

const row = 200 + Math.random() * 300;
const pointAt = (step) => [(step * 7) % 420, 40 * Math.sin(step / 5)];

/** Begin a stroke at the top of the stack. */
function begin(number) {
  const properties = {
    type: 'freedraw', x: 300, y: row, width: 420, height: 80, index: `z${number.toString(36).padStart(26, '0')}1`, strokeColor: '#26231f',
    points: Y.Array.from([pointAt(0)]), pressures: Y.Array.from([]), simulatePressure: true, seed: number + 1,
  }; // prettier-ignore
  const id = `drawn-${doc.clientID}-${number}`;
  doc.getMap('elements').set(id, new Y.Map(Object.entries(properties)));
  return doc.getMap('elements').get(id);
}

function showPointer(step) {
  const [x, y] = pointAt(step);
  provider.awareness.setLocalState({ client_id: 'drawer', name: 'Bo', pointer: { x: 300 + x, y: row + y, down: true, laser: false, selected: [] } });
}

async function draw() {
  const started = performance.now();
  const since = () => performance.now() - started;
  for (let number = 0; since() < ms; number += 1) {
    const stroke = begin(number);
    let drawn = 1;
    let shownAt = 0;
    for (const end = (number + 1) * STROKE_MS; since() < Math.min(end, ms); ) {
      const points = Math.floor((since() - number * STROKE_MS) / POINT_MS);
      const fresh = Array.from({ length: Math.max(0, points - drawn) }, (_, at) => pointAt(drawn + at));
      if (fresh.length > 0) doc.transact(() => stroke.get('points').push(fresh));
      drawn += fresh.length;
      if (since() - shownAt > POINTER_MS) showPointer(drawn);
      if (since() - shownAt > POINTER_MS) shownAt = since();
      await sleep(UPDATE_MS);
    }
  }
}

console.log('ready');
await once(process.stdin, 'data');
await draw();
console.log('done');
await sleep(500);
provider.destroy();
process.exit(0);
