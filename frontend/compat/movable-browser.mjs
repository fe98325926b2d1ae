/**
 * A page in Chromium with clients over the bundle of MovableSocket, as a user would build it.
 *
 *     node compat/movable-browser.mjs CHROMIUM ORIGIN SESSION
 *
 * A line on stdin is an order: `start` and `stop` the work, `report` prints one line of JSON, and the end
 * of stdin ends everything.
 */
import { chromium } from 'playwright-core';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const [executablePath, origin, session] = process.argv.slice(2);
const entry = fileURLToPath(new URL('movable-page.js', import.meta.url));
const bundle = await build({
  configFile: false,
  logLevel: 'error',
  resolve: { conditions: ['source'] },
  build: { write: false, minify: true, lib: { entry, formats: ['es'] } },
});
const code = [bundle].flat()[0].output[0].code;
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const page = await browser.newPage({ bypassCSP: true });
page.on('pageerror', (error) => console.error(error));
// Any page of the server will do: the clients are of the same origin then.
await page.goto(`${origin}/healthz?session=${session}`);
await page.addScriptTag({ content: code, type: 'module' });
await page.waitForFunction(() => 'report' in globalThis);

const lines = createInterface({ input: process.stdin });
lines.on('line', async (order) => {
  const answer = await page.evaluate((name) => globalThis[name](), order);
  if (order === 'report') console.log(JSON.stringify(answer));
});
lines.on('close', async () => {
  await browser.close();
  process.exit(0);
});
