import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';
import { expect, test } from 'vitest';

const APP = fileURLToPath(new URL('..', import.meta.url));
const isOurs = (module: string): boolean => /\/frontend\/(app|packages)\//.test(module) && !module.includes('node_modules');

/**
 * A file's name has a hash of its content, and its content has the names of the files that it imports.
 * A file of libraries that imported one of ours would get a new name with each release.
 */
test('a release makes browsers load our own files again, never those of libraries', async () => {
  const built = (await build({ root: APP, logLevel: 'silent', build: { write: false } })) as Rolldown.RolldownOutput;
  const chunks = built.output.filter((file) => file.type === 'chunk');
  const ours = chunks.filter(({ moduleIds }) => moduleIds.some(isOurs));
  const names = new Set(ours.map(({ fileName }) => fileName));
  const dragged = chunks.filter((chunk) => !names.has(chunk.fileName) && [...chunk.imports, ...chunk.dynamicImports].some((name) => names.has(name)));
  expect(dragged.map(({ fileName }) => fileName)).toEqual([]);
  const bytes = (some: Rolldown.OutputChunk[]): number => some.reduce((sum, { code }) => sum + code.length, 0);
  expect(bytes(ours)).toBeGreaterThan(50_000);
  expect(bytes(ours)).toBeLessThan(bytes(chunks) / 5);
}, 120_000);
