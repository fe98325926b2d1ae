/** Fail when the client package could not be published as it is: its files, its types, its size. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const MAX_GZIP_BYTES = 19_800;
const NEEDED = ['LICENSE', 'README.md', 'package.json', 'dist/index.js', 'dist/index.d.ts'];
const YJS = /^(yjs|lib0|y-protocols)(\/|$)/;
const client = fileURLToPath(new URL('../packages/client', import.meta.url));
const modules = fileURLToPath(new URL('../node_modules', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'isshoni-package-'));

const run = (command, ...words) =>
  execFileSync(command, words, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

function fail(reason) {
  console.error(`The client package is not fit to be published: ${reason}.`);
  process.exitCode = 1;
}

try {
  const packed = run('npm', 'pack', client, '--json', '--silent', '--pack-destination', directory);
  const [{ filename, files }] = JSON.parse(packed.slice(packed.indexOf('[\n')));
  const names = files.map(({ path }) => path);
  const missing = NEEDED.filter((name) => !names.includes(name));
  const alien = names.filter((name) => !name.startsWith('dist/') && !NEEDED.includes(name));
  if (missing.length > 0) fail(`it lacks ${missing.join(', ')}`);
  if (alien.length > 0) fail(`it should not hold ${alien.join(', ')}`);

  run('tar', 'xf', filename);
  symlinkSync(modules, join(directory, 'node_modules'));
  const entry = join(directory, 'package', 'dist', 'index.js');
  const { IsshoniClient } = await import(pathToFileURL(entry).href);
  if (typeof IsshoniClient !== 'function') fail('dist/index.js has no IsshoniClient');
  const consumer = join(directory, 'consumer.ts');
  writeFileSync(
    consumer,
    "import { IsshoniClient } from './package/dist/index.js';\n" +
      "export const sent: number = new IsshoniClient('ws://host', 'team').send('hello').n;\n",
  );
  const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck'];
  run(process.execPath, join(modules, 'typescript', 'bin', 'tsc'), ...strict, consumer);

  const bundle = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, lib: { entry, formats: ['es'] }, rollupOptions: { external: YJS } },
  });
  const code = (Array.isArray(bundle) ? bundle : [bundle]).flatMap(({ output }) => output.map((chunk) => chunk.code));
  const size = gzipSync(code.join(''), { level: 9 }).length;
  if (size > MAX_GZIP_BYTES) fail(`it is ${size} bytes by gzip, and may be ${MAX_GZIP_BYTES}`);
  const { version } = JSON.parse(readFileSync(join(directory, 'package', 'package.json'), 'utf8'));
  if (!process.exitCode) console.log(`The client package ${version} can be published: ${size} bytes by gzip.`);
} finally {
  rmSync(directory, { recursive: true });
}
