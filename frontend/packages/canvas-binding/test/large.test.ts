import { expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { meet, Person, two } from './person.js';

const MANY = 1_000;

/** Return two editors of the same large canvas. */
function twoOnLargeCanvas(): [Person, Person] {
  const [ann, bo] = two();
  for (let at = 0; at < MANY; at += 1) ann.editor.add(`e${at}`, { x: at });
  meet(ann, bo);
  meet(ann, bo);
  return [ann, bo];
}

/** Count what an action reads of the document's elements. */
function countReads(action: () => void): number {
  const readers = [vi.spyOn(Y.Map.prototype, 'get'), vi.spyOn(Y.Map.prototype, 'toJSON')];
  action();
  const reads = readers.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  readers.forEach((reader) => reader.mockRestore());
  return reads;
}

/** Count the look-ups in maps by their keys while an action runs. */
function countLookups(action: () => void): number {
  const readers = [vi.spyOn(Map.prototype, 'get'), vi.spyOn(Map.prototype, 'has'), vi.spyOn(Map.prototype, 'set')];
  action();
  const lookups = readers.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  readers.forEach((reader) => reader.mockRestore());
  return lookups;
}

function send(from: Person, to: Person): void {
  Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)), 'network');
}

test('a change of one element reads and rebuilds one element, however many there are', () => {
  const [ann, bo] = twoOnLargeCanvas();
  const before = new Set(bo.editor.elements());
  ann.editor.change('e7', { x: -1 });
  ann.binding.push();
  const reads = countReads(() => {
    send(ann, bo);
    bo.binding.pull();
  });
  expect(bo.editor.elements().filter((element) => !before.has(element)).map(({ id }) => id)).toEqual(['e7']);
  expect(reads).toBeLessThan(20);
});

test('a new element, and one moved in the stack, read a few elements, however many there are', () => {
  const [ann, bo] = twoOnLargeCanvas();
  const drawing = countReads(() => {
    ann.editor.add('new');
    ann.binding.pull();
    send(ann, bo);
    bo.binding.pull();
    bo.editor.restack('e3', 900);
    bo.binding.pull();
  });
  expect(drawing).toBeLessThan(60);
  meet(ann, bo);
  expect(ann.ids()).toEqual(bo.ids());
  expect(bo.ids().indexOf('e3')).toBe(900);
});

test('a change of one element writes its changed property only', () => {
  const [ann] = twoOnLargeCanvas();
  let bytes = 0;
  ann.doc.on('update', (update: Uint8Array) => (bytes += update.length));
  ann.editor.change('e7', { x: -1 });
  ann.binding.pull();
  expect(bytes).toBeLessThan(50);
});

test('a stroke looks up as much on a large canvas as on a small one', () => {
  const strokeOn = (ann: Person): number =>
    countLookups(() => {
      ann.editor.add('stroke', { type: 'freedraw', points: [[0, 0]], pressures: [] });
      ann.editor.held.add('stroke');
      for (let point = 1; point < 10; point += 1) {
        const points = Array.from({ length: point + 1 }, (_, at) => [at, at]);
        ann.editor.change('stroke', { points, width: point });
        ann.binding.pull();
      }
      ann.editor.held.clear();
      ann.binding.pull();
    });
  const [large, small] = [twoOnLargeCanvas()[0], two()[0]];
  for (const { editor, binding } of [large, small]) {
    editor.add('first');
    // The second pull shows what the first stored, the third finds that nothing is missing.
    for (let again = 0; again < 3; again += 1) binding.pull();
  }
  expect(strokeOn(large)).toBe(strokeOn(small));
  expect(large.map.has('stroke')).toBe(true);
});
