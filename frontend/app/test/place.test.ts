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
  ['/s/not.one', '/s/', undefined],
])('%s lies below %s and shows %s', (path, root, sessionId) => {
  expect(findPlace(path)).toEqual({ root, sessionId });
});
