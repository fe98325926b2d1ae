import { expect, test } from 'vitest';
import { sayProcess } from '../src/views/colours.js';

const ready = { name: 'green-1', ready: true, reason: null, connections: 12, restarts: 0, evacuated: false };

test('a process is named with its connections, and with what is unusual about it', () => {
  expect(sayProcess(ready)).toBe('green-1 12');
  expect(sayProcess({ ...ready, connections: 0, evacuated: true })).toBe('green-1 0 (evacuated)');
  expect(sayProcess({ ...ready, restarts: 2 })).toBe('green-1 12 (2 restarts)');
  expect(sayProcess({ ...ready, ready: false, reason: 'it does not answer' })).toBe('green-1 12 (it does not answer)');
  expect(sayProcess({ ...ready, ready: false })).toBe('green-1 12 (not ready)');
});
