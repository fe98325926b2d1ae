import { expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { makeDeletion, splitUpdate } from '../src/split-update.js';

// Megabytes of work: seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const FRAME = 1 << 20;

/** Apply pieces one by one; each must leave nothing that waits for a later one. */
function take(doc: Y.Doc, pieces: Uint8Array[]): void {
  for (const piece of pieces) {
    Y.applyUpdate(doc, piece);
    expect(doc.store.pendingStructs).toBeNull();
    expect(doc.store.pendingDs).toBeNull();
  }
}

function expectEqual(one: Y.Doc, other: Y.Doc): void {
  expect(Y.encodeStateVector(one)).toEqual(Y.encodeStateVector(other));
  expect(one.getMap('elements').toJSON()).toEqual(other.getMap('elements').toJSON());
  expect(one.getText('text').toJSON()).toEqual(other.getText('text').toJSON());
  expect(one.getArray('list').toJSON()).toEqual(other.getArray('list').toJSON());
}

test('a paste of thousands of elements goes in pieces', () => {
  const doc = new Y.Doc();
  doc.transact(() => {
    for (let n = 0; n < 3000; n += 1) {
      const element = new Y.Map<unknown>();
      for (let at = 0; at < 20; at += 1) element.set(`property ${at}`, n + at / 3);
      doc.getMap('elements').set(`element-${n}`, element);
    }
  });
  const whole = Y.encodeStateAsUpdate(doc);
  const { pieces, tooLarge } = splitUpdate(whole, 100_000, FRAME);
  expect(whole.length).toBeGreaterThan(1 << 20);
  expect(tooLarge).toEqual([]);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(101_000);
  const other = new Y.Doc();
  take(other, pieces);
  expectEqual(other, doc);
});

test('a small update is one piece, untouched', () => {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, 'hello');
  const update = Y.encodeStateAsUpdate(doc);
  expect(splitUpdate(update, 1000, FRAME)).toEqual({ pieces: [update], tooLarge: [] });
});

test('long strings and lists are cut inside, and no character in two', () => {
  const doc = new Y.Doc();
  doc.getText('text').insert(0, '😀'.repeat(5000));
  doc.getText('text').insert(1001 * 2, 'x');
  doc.getArray('list').push(Array.from({ length: 5000 }, (_, n) => [n, { n: `${n}` }]));
  const { pieces, tooLarge } = splitUpdate(Y.encodeStateAsUpdate(doc), 777, FRAME);
  expect(tooLarge).toEqual([]);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(900);
  const other = new Y.Doc();
  take(other, pieces);
  expectEqual(other, doc);
  expect(other.getText('text').toJSON()).not.toContain('\uFFFD');
});

test('a value that no frame holds is left out, and all that builds on it fits on', () => {
  const doc = new Y.Doc();
  const map = doc.getMap('elements');
  map.set('kept', 1);
  map.set('huge', 'x'.repeat(3000));
  map.set('huge', 'small again');
  doc.getArray('list').push([1]);
  doc.getArray('list').push(['y'.repeat(3000), 2]);
  doc.getArray('list').push([3]);
  const { pieces, tooLarge } = splitUpdate(Y.encodeStateAsUpdate(doc), 500, 1000);
  expect(tooLarge.map(({ length }) => length)).toEqual([1]);
  const other = new Y.Doc();
  take(other, pieces);
  expect(other.getMap('elements').toJSON()).toEqual({ kept: 1, huge: 'small again' });
  expect(other.getArray('list').toJSON()).toEqual([1, 2, 3]);
  Y.applyUpdate(doc, makeDeletion(tooLarge));
  expectEqual(other, doc);
  map.set('huge', 'and on');
  Y.applyUpdate(other, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(other)));
  expectEqual(other, doc);
});

test('whatever several authors did, pieces of it applied in order need nothing of a later one', () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = randomFrom(seed);
    const docs = [1, 2, 3].map(() => new Y.Doc());
    for (let step = 0; step < 80; step += 1) {
      edit(docs[random(3)]!, random);
      const [from, to] = [docs[random(3)]!, docs[random(3)]!];
      if (random(3) === 0) Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)));
    }
    for (const doc of docs) Y.applyUpdate(docs[0]!, Y.encodeStateAsUpdate(doc));
    const known = new Y.Doc();
    if (random(2) === 0) Y.applyUpdate(known, Y.encodeStateAsUpdate(docs[1]!));
    const update = Y.encodeStateAsUpdate(docs[0]!, Y.encodeStateVector(known));
    const { pieces, tooLarge } = splitUpdate(update, 20 + random(200), FRAME);
    expect(tooLarge).toEqual([]);
    take(known, pieces);
    expectEqual(known, docs[0]!);
  }
});

function edit(doc: Y.Doc, random: (below: number) => number): void {
  const text = doc.getText('text');
  const list = doc.getArray('list');
  doc.transact(() => {
    const kind = random(6);
    if (kind === 0) text.insert(random(text.length + 1), 'abc😀'.repeat(1 + random(9)));
    else if (kind === 1 && text.length > 0) text.delete(random(text.length), 1);
    else if (kind === 2) list.insert(random(list.length + 1), Array.from({ length: random(30) }, (_, n) => n));
    else if (kind === 3 && list.length > 0) list.delete(random(list.length), 1);
    else if (kind === 4) doc.getMap('elements').set(`${random(5)}`, new Y.Map([['x', random(100)]]));
    else {
      const element = doc.getMap<Y.Map<unknown>>('elements').get(`${random(5)}`);
      element?.set(`p${random(3)}`, 'v'.repeat(random(50)));
    }
  });
}

/** A generator of numbers that is the same for a seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
