import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { makesSense } from '../src/views/actions.js';
import { KOREAN_REASONS } from '../src/texts/reasons-ko.js';
import { deployingAt, STATES } from './stands.js';

const SOURCE = fileURLToPath(new URL('../../../src/isshoni/dashboard/reasons.py', import.meta.url));

test('every code of the server has a Korean sentence, with no field that the code has not', async () => {
  const source = await readFile(SOURCE, 'utf8');
  const patterns = [...source.matchAll(/\(\s*"(\w+)",\s*((?:"[^"\n]*"\s*)+),?\s*\)/g)];
  expect(patterns.length).toBeGreaterThan(50);
  const fields = new Map<string, Set<string>>();
  for (const [, code, pattern] of patterns) {
    const known = fields.get(code!) ?? new Set();
    for (const [, name] of pattern!.matchAll(/\{(\w+)/g)) known.add(name!);
    fields.set(code!, known);
  }
  expect(Object.keys(KOREAN_REASONS).sort()).toEqual([...fields.keys()].sort());
  for (const [code, sentence] of Object.entries(KOREAN_REASONS)) {
    for (const [, name] of sentence.matchAll(/\{(\w+)\}/g)) expect(fields.get(code), `${code}: ${name}`).toContain(name);
  }
});

test('a rollback whose engine died is finished by the button; one with an engine is not begun twice', () => {
  const back = { reason: 'x', began: 1, new_connections_home: null, last_session_home: null };
  expect(makesSense('rollback', deployingAt(6, { rollback: back }))).toBe(false);
  expect(makesSense('rollback', deployingAt(6, { rollback: back }, { engine: null }))).toBe(true);
  expect(makesSense('abort', STATES.prepare!)).toBe(true);
  expect(makesSense('rollback', STATES.prepare!)).toBe(false);
  expect(makesSense('resume', STATES.paused!)).toBe(true);
  expect(makesSense('rollback', STATES.first!)).toBe(false);
});
