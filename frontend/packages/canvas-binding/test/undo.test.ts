import { expect, test } from 'vitest';
import { meet, Person, two } from './person.js';

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

test('the pictures of an import are undone with the rest of it, although they are uploaded later', () => {
  const [ann, bo] = two();
  ann.editor.add('before');
  meet(ann, bo);
  ann.editor.change('before', { isDeleted: true });
  ann.editor.add('shape');
  for (const id of ['picture', 'second']) {
    ann.editor.add(id, { type: 'image', fileId: 'f' });
    ann.editor.change(id, { status: 'pending' });
  }
  meet(ann, bo);
  for (const id of ['picture', 'second']) {
    ann.editor.change(id, { status: 'saved' });
    meet(ann, bo);
  }
  expect(bo.ids()).toEqual(['shape', 'picture', 'second']);
  ann.binding.undo();
  meet(ann, bo);
  for (const person of [ann, bo]) expect(person.ids()).toEqual(['before']);
  ann.binding.redo();
  meet(ann, bo);
  for (const person of [ann, bo]) expect(person.ids()).toEqual(['shape', 'picture', 'second']);
});

test('a picture of an import that is uploaded after the next change is a step of its own', () => {
  const [ann, bo] = two();
  ann.editor.add('shape');
  ann.editor.add('picture', { type: 'image', fileId: 'f' });
  ann.editor.change('picture', { status: 'pending' });
  meet(ann, bo);
  ann.editor.add('next');
  meet(ann, bo);
  ann.editor.change('picture', { status: 'saved' });
  meet(ann, bo);
  const left: string[][] = [];
  while (ann.binding.canUndo) {
    ann.binding.undo();
    left.push(ann.ids());
  }
  expect(left).toEqual([['shape', 'next'], ['shape'], []]);
});
