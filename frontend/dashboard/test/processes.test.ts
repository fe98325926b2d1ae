import { expect, test } from 'vitest';
import { listTroubles } from '../src/views/colours.js';
import { sayProcessState } from '../src/views/processes.js';
import { aSlot } from './stands.js';

const ready = { name: 'green-1', ready: true, reason: null, connections: 12, restarts: 0, evacuated: false };

test('a process is ready, evacuated, or has a reason why not', () => {
  expect(sayProcessState(ready)).toBe('ready');
  expect(sayProcessState({ ...ready, evacuated: true })).toBe('evacuated');
  expect(sayProcessState({ ...ready, ready: false, reason: 'it does not answer' })).toBe('it does not answer');
  expect(sayProcessState({ ...ready, ready: false })).toBe('not ready');
});

test('a slot shows why it was restarted, what does not run beside it, and whom a relay could not move', () => {
  expect(listTroubles(null)).toEqual([]);
  expect(listTroubles(aSlot('v1'))).toEqual([]);
  const troubled = aSlot('v1', {
    restarts: 2,
    last_exit: 'exit code 3',
    side_programs_down: ['worker (exit code 1)'],
    migration: { failures: { refused: 3, never_quiet: 1, unheard_of: 2, join: 0 }, closed_for: { protocol: 4 } },
  });
  expect(listTroubles(troubled)).toEqual([
    '2 restarts; the last time: exit code 3',
    'Not running: worker (exit code 1)',
    'Could not be moved so far: 1: there was no quiet moment · 3: the new program refused them · 2: unheard of',
    'Closed because they could not be moved: 4: their protocol cannot be moved',
  ]);
});
