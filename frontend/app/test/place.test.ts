import { expect, test, vi } from 'vitest';

vi.stubGlobal('location', { pathname: '/' });
const { findPlace } = await import('../src/place.js');

test.each([
  ['/', '/', undefined],
  ['/draw/', '/draw/', undefined],
  ['/s/quiet-heron', '/', 'quiet-heron'],
  ['/s/quiet-heron/', '/', 'quiet-heron'],
  ['/draw/s/quiet-heron', '/draw/', 'quiet-heron'],
  ['/a/s/b/s/c', '/a/s/b/', 'c'],
])('%s lies below %s and shows %s', (path, root, sessionId) => {
  expect(findPlace(path)).toEqual({ root, sessionId });
});

test.each([
  ['/s/not.one', '/', 'not.one'],
  ['/draw/s/two%20words/', '/draw/', 'two words'],
  ['/s/%', '/', '%'],
])('%s names no session', (path, root, badName) => {
  expect(findPlace(path)).toEqual({ root, sessionId: undefined, badName });
});
