import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { meet, Person, two } from './person.js';

test('what one draws the other sees, and nothing is written back', () => {
  const [ann, bo] = two();
  ann.editor.add('a', { x: 5 });
  meet(ann, bo);
  expect(bo.editor.find('a')).toMatchObject({ type: 'rectangle', x: 5, width: 10, isDeleted: false });
  const before = Y.encodeStateVector(bo.doc);
  bo.binding.push();
  expect(Y.encodeStateVector(bo.doc)).toEqual(before);
});

test('one who moves and one who colours the same element both have their way', () => {
  const [ann, bo] = two();
  ann.editor.add('a');
  meet(ann, bo);
  ann.editor.change('a', { x: 50 });
  bo.editor.change('a', { strokeColor: '#ff0000' });
  meet(ann, bo);
  for (const { editor } of [ann, bo]) expect(editor.find('a')).toMatchObject({ x: 50, strokeColor: '#ff0000' });
});

test('one who deletes and one who restacks agree, and the deletion holds', () => {
  const [ann, bo] = two();
  for (const id of ['a', 'b', 'c']) ann.editor.add(id);
  meet(ann, bo);
  ann.editor.change('b', { isDeleted: true });
  bo.editor.restack('b', 2);
  bo.editor.restack('c', 0);
  meet(ann, bo);
  expect(ann.ids()).toEqual(['c', 'a']);
  expect(bo.ids()).toEqual(['c', 'a']);
});

test('two elements added at once lie in one order for both, and another fits between them', () => {
  const [ann, bo] = two();
  ann.editor.add('x');
  bo.editor.add('y');
  meet(ann, bo);
  ann.editor.add('top');
  meet(ann, bo);
  expect(bo.ids()).toEqual(['x', 'y', 'top']);
  ann.editor.restack('top', 1);
  meet(ann, bo);
  expect(ann.ids()).toEqual(['x', 'top', 'y']);
  expect(bo.ids()).toEqual(['x', 'top', 'y']);
});

test('an imported file is added to what is there, at once, for everybody, and undone as one', () => {
  const [ann, bo, cy] = [new Person(), new Person(), new Person()];
  for (const id of ['a', 'b', 'c']) ann.editor.add(id);
  for (const id of ['u', 'v', 'w', 'x', 'y']) cy.editor.add(id);
  meet(ann, bo);
  ann.editor.open(cy.editor.elements().slice(3));
  ann.binding.pull();
  expect(ann.ids().sort()).toEqual(['a', 'b', 'c', 'x', 'y']);
  meet(ann, bo);
  expect(bo.ids()).toEqual(ann.ids());
  ann.binding.undo();
  meet(ann, bo);
  for (const person of [ann, bo]) expect(person.ids()).toEqual(['a', 'b', 'c']);
});

test('an imported element that is here already gets what the file has of it, whatever its version says', () => {
  const [ann, bo] = two();
  ann.editor.add('a', { x: 1 });
  meet(ann, bo);
  const file = bo.editor.elements().map((element) => ({ ...element }));
  ann.editor.change('a', { x: 2 });
  meet(ann, bo);
  const { version, versionNonce } = bo.editor.find('a');
  bo.editor.open(file.map((element) => ({ ...element, version, versionNonce })));
  bo.binding.pull();
  meet(ann, bo);
  for (const { editor } of [ann, bo]) expect(editor.find('a').x).toBe(1);
  bo.binding.undo();
  meet(ann, bo);
  for (const { editor } of [ann, bo]) expect(editor.find('a').x).toBe(2);
});

test('what others would not be shown of an import, the importer is not shown either', () => {
  const [ann, bo] = two();
  ann.editor.add('a', { x: 5 });
  const [a] = ann.editor.elements();
  ann.editor.open([a!, { ...a!, id: 'e', type: 'iframe' }, { ...a!, id: 'far', x: 9e9, index: 'a5' }]);
  meet(ann, bo);
  for (const person of [ann, bo]) {
    expect(person.ids()).toEqual(['a', 'far']);
    expect(person.editor.find('far').x).toBe(1_000_000);
  }
});

test('a growing stroke sends its new points only', () => {
  const ann = new Person();
  const points = Array.from({ length: 500 }, (_, step) => [step, step]);
  ann.editor.add('s', { type: 'freedraw', points, pressures: [] });
  ann.binding.push();
  let sent = 0;
  ann.doc.on('update', (update: Uint8Array) => (sent += update.length));
  ann.editor.change('s', { points: [...points, [500, 500]] });
  ann.binding.push();
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(100);
});

test('what is in the hand is not replaced, and follows once it is let go', () => {
  const [ann, bo] = two();
  ann.editor.add('a');
  meet(ann, bo);
  const inHand = bo.editor.find('a');
  bo.editor.held.add('a');
  ann.editor.change('a', { strokeColor: '#00ff00' });
  meet(ann, bo);
  expect(bo.editor.find('a')).toBe(inHand);
  const { shows } = bo.editor;
  bo.binding.pull();
  expect(bo.editor.shows).toBe(shows);
  bo.editor.change('a', { x: 7 });
  bo.editor.held.clear();
  meet(ann, bo);
  for (const { editor } of [ann, bo]) expect(editor.find('a')).toMatchObject({ x: 7, strokeColor: '#00ff00' });
});

test('an element about to be made is neither written nor swept away', () => {
  const [ann, bo] = two();
  ann.editor.add('half', { width: 0, height: 0 });
  bo.editor.add('whole');
  meet(ann, bo);
  expect(bo.ids()).toEqual(['whole']);
  expect(ann.ids().sort()).toEqual(['half', 'whole']);
});

test('an element written whole by a program is shown, and merges once somebody edits it', () => {
  const [ann, bo] = two();
  bo.map.set('bot-1', { type: 'ellipse', x: 1, y: 2, width: 30, height: 40, version: 7, text: 'unknown here' });
  meet(ann, bo);
  expect(ann.editor.find('bot-1')).toMatchObject({ type: 'ellipse', strokeColor: '#1e1e1e' });
  ann.editor.change('bot-1', { x: 9 });
  meet(ann, bo);
  bo.editor.change('bot-1', { y: 9 });
  meet(ann, bo);
  expect(ann.editor.find('bot-1')).toMatchObject({ x: 9, y: 9 });
});

test('a stroke of the first page is a freehand line', () => {
  const ann = new Person();
  ann.map.set('old', { type: 'stroke', colour: 'pine', width: 7, points: [10, 20, 30, 20, 30, 60], by: 'c-1', at: 1 });
  ann.binding.pull();
  expect(ann.editor.find('old')).toMatchObject({
    type: 'freedraw', x: 10, y: 20, width: 20, height: 40, strokeColor: '#2f6b4c', points: [[0, 0], [20, 0], [20, 40]],
  });
});

test('an element that a program erased is gone', () => {
  const [ann, bo] = two();
  ann.editor.add('a');
  meet(ann, bo);
  bo.map.delete('a');
  meet(ann, bo);
  expect(ann.ids()).toEqual([]);
  ann.binding.push();
  expect(ann.map.size).toBe(0);
});

test('an element that an import makes one that is not shown is gone for the importer too', () => {
  const [ann, bo] = two();
  for (const id of ['a', 'b']) ann.editor.add(id);
  meet(ann, bo);
  ann.editor.open(ann.editor.elements().map((element) => ({ ...element, type: 'iframe', versionNonce: 77 })).slice(0, 1));
  meet(ann, bo);
  for (const person of [ann, bo]) expect(person.ids()).toEqual(['b']);
});
