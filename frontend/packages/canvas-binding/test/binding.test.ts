import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { ElementsBinding } from '../src/index.js';
import { FakeEditor } from './fake-editor.js';

class Person {
  readonly doc = new Y.Doc();
  readonly map = this.doc.getMap('elements');
  readonly editor = new FakeEditor();
  changes = 0;
  readonly binding = new ElementsBinding(this.map, this.editor, () => (this.changes += 1));

  ids(): string[] {
    return this.editor.visible().map((element) => element.id);
  }
}

/** Bring everybody to the same document, as servers do. */
function meet(...people: Person[]): void {
  people.forEach(({ binding }) => binding.push());
  for (const from of people) {
    for (const to of people) Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)), 'network');
  }
  people.forEach(({ binding }) => binding.pull());
}

function two(): [Person, Person] {
  return [new Person(), new Person()];
}

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

test('undo takes back my own gesture as one, and leaves what others did', () => {
  const [ann, bo] = two();
  ann.editor.add('a');
  meet(ann, bo);
  ann.editor.pressed = 'press-1';
  for (const x of [10, 20, 30]) {
    ann.editor.change('a', { x });
    ann.binding.push();
  }
  ann.editor.pressed = null;
  bo.editor.change('a', { strokeColor: '#ff0000' });
  meet(ann, bo);
  ann.binding.undo();
  meet(ann, bo);
  for (const { editor } of [ann, bo]) expect(editor.find('a')).toMatchObject({ x: 0, strokeColor: '#ff0000' });
  ann.binding.redo();
  meet(ann, bo);
  expect(bo.editor.find('a').x).toBe(30);
  expect(bo.binding.canUndo).toBe(true);
});

test('each change while nothing is in the hand is a step of its own', () => {
  const [ann] = two();
  ann.editor.pressed = 'press-1';
  ann.editor.add('drawn');
  ann.binding.push();
  ann.editor.pressed = null;
  for (const id of ['dropped', 'dropped too']) {
    ann.binding.push();
    ann.editor.add(id, { type: 'image', fileId: 'f' });
  }
  ann.binding.pull();
  const left: string[][] = [];
  while (ann.binding.canUndo) {
    ann.binding.undo();
    left.push(ann.ids());
  }
  expect(left).toEqual([['drawn', 'dropped'], ['drawn'], []]);
  ann.binding.redo();
  expect(ann.ids()).toEqual(['drawn']);
});

test('a gesture of several presses is one step, and the one that follows at once is another', () => {
  const ann = new Person();
  ann.editor.add('line', { type: 'line', points: [[0, 0], [5, 5]] });
  ann.editor.held.add('line');
  for (const [press, x] of [['press-1', 9], ['press-2', 12]] as const) {
    ann.editor.pressed = press;
    ann.binding.push();
    ann.editor.change('line', { points: [[0, 0], [5, 5], [x, 0]] });
    ann.binding.push();
    ann.editor.pressed = null;
    ann.binding.push();
  }
  // The press that ends the line begins to move it.
  ann.binding.push();
  ann.editor.held.clear();
  ann.editor.change('line', { angle: 1 });
  ann.editor.pressed = 'press-3';
  ann.binding.push();
  ann.editor.change('line', { x: 70 });
  ann.binding.push();
  ann.binding.undo();
  expect(ann.editor.find('line')).toMatchObject({ x: 0, angle: 1 });
  ann.binding.undo();
  expect(ann.ids()).toEqual([]);
});

test('a picture that is ready while one draws is undone apart from the stroke', () => {
  const ann = new Person();
  const points = [[0, 0], [1, 1]];
  ann.editor.add('picture', { type: 'image', fileId: 'f' });
  ann.editor.change('picture', { status: 'pending' });
  ann.editor.pressed = 'press-1';
  ann.editor.add('stroke', { type: 'freedraw', points, pressures: [] });
  ann.binding.push();
  ann.editor.change('picture', { status: 'saved' });
  ann.editor.change('stroke', { points: [...points, [2, 2]] });
  ann.binding.push();
  expect(ann.map.has('picture')).toBe(false);
  ann.editor.pressed = null;
  ann.binding.push();
  ann.binding.push();
  expect(ann.map.has('picture')).toBe(true);
  ann.binding.undo();
  expect(ann.ids()).toEqual(['stroke']);
  expect(ann.editor.find('stroke').points).toHaveLength(3);
});

test('a shape that one redoes is as the other left it, who deleted it and thought better of it', () => {
  const [ann, bo] = two();
  ann.editor.add('a');
  meet(ann, bo);
  bo.editor.change('a', { isDeleted: true });
  meet(ann, bo);
  for (const act of [() => ann.binding.undo(), () => bo.binding.undo(), () => ann.binding.redo()]) {
    act();
    meet(ann, bo);
  }
  for (const person of [ann, bo]) expect(person.ids()).toEqual(['a']);
  bo.binding.redo();
  meet(ann, bo);
  for (const person of [ann, bo]) expect(person.ids()).toEqual([]);
});

test('an undone shape that is imported again is there for everybody', () => {
  const [ann, bo] = two();
  ann.editor.add('a', { x: 1 });
  meet(ann, bo);
  ann.binding.undo();
  meet(ann, bo);
  bo.editor.add('a', { x: 2 });
  meet(ann, bo);
  for (const { editor } of [ann, bo]) expect(editor.find('a')).toMatchObject({ type: 'rectangle', x: 2 });
});

test('a stroke undone is gone for everybody, and redone is whole', () => {
  const [ann, bo] = two();
  ann.editor.add('s', { type: 'freedraw', points: [[0, 0], [1, 1]], pressures: [] });
  ann.editor.held.add('s');
  ann.binding.push();
  ann.editor.held.clear();
  ann.editor.change('s', { points: [[0, 0], [1, 1], [2, 5]] });
  meet(ann, bo);
  ann.binding.undo();
  meet(ann, bo);
  expect(bo.ids()).toEqual([]);
  ann.binding.redo();
  meet(ann, bo);
  expect(bo.editor.find('s').points).toEqual([[0, 0], [1, 1], [2, 5]]);
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
