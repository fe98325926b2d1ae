import { expect, test } from 'vitest';
import { nameOf } from '../src/api.js';

test('a release is named with the commit or digest that it was deployed with', () => {
  const commit = '0123456789abcdef'.repeat(3).slice(0, 40);
  expect(nameOf({ release: 'main', content: `git-${commit}` })).toBe('main (commit 0123456789ab)');
  expect(nameOf({ release: 'app', content: `directory-${commit}` })).toBe('app (directory 0123456789ab)');
});

test('a release without content, or of a server that tells none, is its label', () => {
  expect(nameOf({ release: 'v1', content: null })).toBe('v1');
  expect(nameOf({ release: 'v1' })).toBe('v1');
  expect(nameOf({ release: null })).toBe('');
});
