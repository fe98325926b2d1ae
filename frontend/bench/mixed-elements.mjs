/** Fills a session's canvas with elements of every kind, by a stock y-websocket client. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WebsocketProvider } from 'y-websocket';
import { WebSocket } from 'ws';
import * as Y from 'yjs';

const COLUMNS = 100;
const PITCH = 130;
const AT_ONCE = 250;

/** Write `count` elements; resolves when the server has answered a client that asked for them again. */
export async function fill(url, session, count) {
  const [doc, provider] = connect(url, session);
  await synced(provider);
  const elements = doc.getMap('elements');
  for (let from = 0; from < count; from += AT_ONCE) {
    doc.transact(() => {
      for (let at = from; at < Math.min(count, from + AT_ONCE); at += 1) elements.set(`mixed-${at}`, element(at));
    });
    await sleep(20);
  }
  await until(url, session, count);
  provider.destroy();
}

async function until(url, session, count) {
  for (;;) {
    const [doc, provider] = connect(url, session);
    await synced(provider);
    provider.destroy();
    if (doc.getMap('elements').size >= count) return;
  }
}

function connect(url, session) {
  const doc = new Y.Doc();
  return [doc, new WebsocketProvider(`${url.replace('http', 'ws')}/ws`, session, doc, { WebSocketPolyfill: WebSocket, disableBc: true })];
}

const synced = (provider) => new Promise((resolve) => provider.once('sync', resolve));

/** Two fifths are freehand strokes of 30 points, the rest shapes, arrows and texts, in equal parts. */
function element(at) {
  const place = { x: (at % COLUMNS) * PITCH, y: Math.floor(at / COLUMNS) * PITCH, index: `a${(at + 100000).toString(36)}` };
  const common = { ...place, width: 90, height: 60, strokeColor: ['#26231f', '#c4472f', '#2c4f86'][at % 3], seed: at + 1 };
  if (at % 5 < 2) return stroke(common, at);
  if (at % 5 === 2) return new Y.Map(Object.entries({ ...common, type: 'text', height: 25, text: `note ${at}`, originalText: `note ${at}`, fontSize: 20 }));
  if (at % 5 === 3) return new Y.Map(Object.entries({ ...common, type: 'arrow', points: [[0, 0], [90, 60]], endArrowhead: 'arrow' }));
  const type = ['rectangle', 'ellipse', 'diamond'][at % 3];
  return new Y.Map(Object.entries({ ...common, type, backgroundColor: at % 2 ? '#ffd8a8' : 'transparent', fillStyle: at % 4 === 1 ? 'hachure' : 'solid' }));
}

function stroke(common, at) {
  const points = Array.from({ length: 30 }, (_, step) => [step * 3, Math.round(30 + 30 * Math.sin((step + at) / 4))]);
  return new Y.Map(Object.entries({ ...common, type: 'freedraw', points: Y.Array.from(points), pressures: Y.Array.from([]), simulatePressure: true }));
}
