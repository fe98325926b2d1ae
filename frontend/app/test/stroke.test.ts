import { expect, test } from 'vitest';
import { extend, isTouched, toPath, toStroke, type Stroke } from '../src/models/stroke.js';

const stroke = (points: number[], width = 4): Stroke => ({
  type: 'stroke', colour: 'ink', width, points, by: 'c-1', at: 1,
});

test.each([
  null, 7, 'stroke', [], {}, { type: 'circle' },
  { ...stroke([1, 2]), points: [] },
  { ...stroke([1, 2]), points: [1, Infinity] },
  { ...stroke([1, 2]), points: ['1', '2'] },
  { ...stroke([1, 2]), points: 'M0 0' },
  { ...stroke([1, 2]), width: 'wide' },
])('what is no stroke is not drawn: %j', (element) => {
  expect(toStroke(element)).toBeNull();
});

test('a strange colour becomes ink, an absurd width is bounded', () => {
  const strange = { ...stroke([1, 2], 1e9), colour: 'ink"><script>' };
  expect(toStroke(strange)).toMatchObject({ colour: 'ink', width: 100 });
});

test('a stroke survives JSON', () => {
  expect(toStroke(JSON.parse(JSON.stringify(stroke([1, 2, 3, 4]))))).toEqual(stroke([1, 2, 3, 4]));
});

test('a point too near to the last is left out, others are rounded', () => {
  const points = [10, 10];
  expect(extend(points, 10.6, 10.6)).toBe(false);
  expect(extend(points, 13.4, 10.6)).toBe(true);
  expect(points).toEqual([10, 10, 13, 11]);
});

test.each([
  [[5, 6], 'M5 6h0'],
  [[0, 0, 10, 0], 'M0 0L10 0'],
  [[0, 0, 10, 0, 10, 10], 'M0 0Q10 0 10 5L10 10'],
])('the path of %j', (points, path) => {
  expect(toPath({ points })).toBe(path);
});

test('the eraser touches a line between its points, and its width counts', () => {
  const line = stroke([0, 0, 100, 0], 10);
  expect(isTouched(line, 50, 14, 10)).toBe(true);
  expect(isTouched(line, 50, 16, 10)).toBe(false);
  expect(isTouched(line, 120, 0, 10)).toBe(false);
  expect(isTouched(stroke([5, 5]), 5, 8, 3)).toBe(true);
});
