import { expect, test } from 'vitest';
import { finder, LastSeen } from '../src/last-seen.js';
import { toElement, type CanvasElement } from '../src/index.js';

const element = (id: string): CanvasElement => toElement(id, { type: 'rectangle', x: 0, y: 0, width: 1, height: 1 })!;
const ids = (elements: readonly CanvasElement[]): string[] => elements.map(({ id }) => id);

function three(): [LastSeen, CanvasElement[]] {
  const [seen, elements] = [new LastSeen(), ['a', 'b', 'c'].map(element)];
  seen.changed(elements);
  return [seen, elements];
}

test('the first look returns all elements, and the next none', () => {
  const [seen, elements] = [new LastSeen(), ['a', 'b', 'c'].map(element)];
  expect(ids(seen.changed(elements))).toEqual(['a', 'b', 'c']);
  expect(seen.changed([...elements])).toEqual([]);
});

test('an element changed in place is returned once', () => {
  const [seen, elements] = three();
  Object.assign(elements[1]!, { versionNonce: 7 });
  expect(ids(seen.changed(elements))).toEqual(['b']);
  expect(seen.changed(elements)).toEqual([]);
});

test('an element replaced by one of the same version is returned', () => {
  const [seen, [a, b, c]] = three();
  expect(ids(seen.changed([a!, { ...b! }, c!]))).toEqual(['b']);
});

test('of a list that lost an element, all after it are returned; a shorter list has lost some', () => {
  const [seen, [a, b, c]] = three();
  expect(ids(seen.changed([a!, c!]))).toEqual(['c']);
  const before = seen.losses;
  expect(seen.changed([a!])).toEqual([]);
  expect(seen.losses).toBe(before + 1);
  expect(ids(seen.changed([a!, b!]))).toEqual(['b']);
});

test('an element that is changed, replaced, or added at the end is no loss; one that lost its place is', () => {
  const [seen, [a, b, c]] = three();
  const before = seen.losses;
  Object.assign(a!, { version: 9 });
  expect(ids(seen.changed([a!, { ...b! }, c!, element('d')]))).toEqual(['a', 'b', 'd']);
  expect(seen.losses).toBe(before);
  seen.changed([b!, a!, c!, element('d')]);
  expect(seen.losses).toBe(before + 1);
});

test('an element to look at again is returned once more, wherever it is', () => {
  const [seen, elements] = three();
  seen.forget('b');
  expect(ids(seen.changed(elements))).toEqual(['b']);
  expect(seen.changed(elements)).toEqual([]);
});

test('an element is found at the guessed place and elsewhere', () => {
  const [, elements] = three();
  const find = finder(elements);
  expect(find('b', 1)).toBe(elements[1]);
  expect(find('c', 0)).toBe(elements[2]);
  expect(find('d', 0)).toBeUndefined();
});
