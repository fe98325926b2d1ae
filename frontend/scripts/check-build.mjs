/** Fail when a committed page differs from a fresh build. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGES = { app: 'backend', dashboard: 'dashboard' };

const read = (directory) =>
  new Map(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [relative(directory, path), readFileSync(path)]),
  );

for (const [workspace, room] of Object.entries(PAGES)) {
  const committed = fileURLToPath(new URL(`../../src/isshoni/${room}/static`, import.meta.url));
  const fresh = mkdtempSync(join(tmpdir(), 'isshoni-build-'));
  try {
    execFileSync('npm', ['run', 'build', '--silent', '--workspace', workspace], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ISSHONI_STATIC_DIR: fresh },
    });
    const [before, after] = [read(committed), read(fresh)];
    const names = [...new Set([...before.keys(), ...after.keys()])];
    const stale = names.filter((name) => !before.get(name)?.equals(after.get(name) ?? Buffer.alloc(0)));
    if (stale.length > 0) {
      console.error(`The built ${workspace} is stale: ${stale.join(', ')}. Run "npm run build" and commit it.`);
      process.exitCode = 1;
    } else console.log(`The built ${workspace} is what the sources make.`);
  } finally {
    rmSync(fresh, { recursive: true });
  }
}
