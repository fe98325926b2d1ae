/** Run every check of the page, two at a time: what only reads or builds it, then the tests. */
import { spawn } from 'node:child_process';

const READ = [['lint'], ['typecheck', 'check-package', 'check-build']];

/** Run a script to its end; true if it passed. Captured output appears in one piece. */
const run = (name, stdio) =>
  new Promise((resolve) => {
    const started = spawn('npm', ['run', '--silent', name], { stdio });
    const said = [];
    for (const stream of [started.stdout, started.stderr]) stream?.on('data', (piece) => said.push(piece));
    started.on('close', (code) => {
      process.stdout.write(Buffer.concat(said));
      if (code !== 0) console.error(`npm run ${name} failed.`);
      resolve(code === 0);
    });
  });

async function runInTurn(names) {
  for (const name of names) if (!(await run(name, ['ignore', 'pipe', 'pipe']))) return false;
  return true;
}

const passed = await Promise.all(READ.map(runInTurn));
process.exitCode = passed.every(Boolean) && (await run('test', 'inherit')) ? 0 : 1;
