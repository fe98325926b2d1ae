/**
 * Two real browsers on one large canvas: the time to the first stroke, frame times, and the heap.
 *
 *     node bench/page.mjs URL ELEMENTS SECONDS
 *
 * Prints one line of JSON. Called by `scripts/bench page`, which starts the server.
 */
/* global document, localStorage, performance */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { breakdown } from './breakdown.mjs';
import { beginFrames, drawUntilStored, drawWave, endFrames } from './in-page.mjs';
import { fill } from './mixed-elements.mjs';
import { taskTimes } from './trace.mjs';

const [url, elements = '5000', seconds = '5'] = process.argv.slice(2);
const COUNT = Number(elements);
const MS = Number(seconds) * 1000;
const FIRST_STROKES = 7;
/** Time between two samples of the profile; more of them would take time from the page. */
const SAMPLE_US = 1000;
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const launch = () => chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });

/** Open a session in a browser profile of its own, with a name, so that no dialog is in the way. */
async function visit(browser, session, prepare) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.addInitScript(() => localStorage.setItem('isshoni:preferences', JSON.stringify({ name: 'Ann' })));
  if (prepare) await page.addInitScript(prepare);
  await page.goto(`${url}/s/${session}`, { waitUntil: 'commit' });
  return page;
}

/** Return how many milliseconds after the start of the navigation the first stroke was in the document. */
async function firstStroke(browser, session) {
  const page = await visit(browser, session, drawUntilStored);
  const at = await page.waitForFunction(() => globalThis.firstStroke, null, { polling: 20, timeout: 60_000 });
  const cold = await at.jsonValue();
  await page.goto('about:blank');
  await page.goto(`${url}/s/${session}-again`, { waitUntil: 'commit' });
  const warm = await (await page.waitForFunction(() => globalThis.firstStroke, null, { polling: 20, timeout: 60_000 })).jsonValue();
  await page.context().close();
  return { cold, warm };
}

async function firstStrokes() {
  const browser = await launch();
  const times = [];
  for (let run = 0; run < FIRST_STROKES; run += 1) times.push(await firstStroke(browser, `first-${run}`));
  await browser.close();
  return { cold: median(times.map(({ cold }) => cold)), warm: median(times.map(({ warm }) => warm)) };
}

const median = (values) => Math.round(values.sort((one, other) => one - other)[values.length >> 1]);

async function heapMb(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('HeapProfiler.collectGarbage');
  const { usedSize } = await devtools.send('Runtime.getHeapUsage');
  await devtools.detach();
  return Number((usedSize / 1e6).toFixed(1));
}

/** Return the frame times of `page` while `action` runs, the processor time of its main thread's tasks, and where it went. */
async function frames(page, action) {
  const browser = page.context().browser();
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Profiler.enable');
  await devtools.send('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  await devtools.send('Profiler.start');
  await browser.startTracing(page, { categories: ['toplevel'] });
  await page.evaluate(beginFrames);
  await action();
  const times = await page.evaluate(endFrames);
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const { profile } = await devtools.send('Profiler.stop');
  await devtools.detach();
  return { ...times, ...taskTimes(traceEvents), mean: breakdown(profile, traceEvents, times.frames) };
}

async function pan(page) {
  await page.mouse.move(800, 450);
  const end = performance.now() + MS;
  for (let step = 0; performance.now() < end; step += 1) {
    await page.mouse.wheel(step % 80 < 40 ? 25 : -25, step % 40 < 20 ? 15 : -15);
    await sleep(8);
  }
}

const draw = (page) => page.evaluate(drawWave, MS);
const wait = () => sleep(MS);

/** Return the frame times of `page` while a client that is no browser draws: from its first to its last change. */
async function framesOfReceiving(page) {
  const drawer = spawn(process.execPath, [fileURLToPath(new URL('drawer.mjs', import.meta.url)), url, 'large', String(MS)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(drawer.stdout, 'data');
  const times = await frames(page, async () => {
    drawer.stdin.write('begin\n');
    await once(drawer.stdout, 'data');
  });
  await once(drawer, 'exit');
  return times;
}

/** Measure one view: all of the canvas, or a part of it at full size. */
async function measureView(ann, bo) {
  const quiet = await frames(ann, wait);
  const panned = await frames(ann, () => pan(ann));
  const drawn = await frames(ann, () => draw(ann));
  const received = await frames(ann, () => draw(bo));
  const both = await frames(ann, () => Promise.all([draw(ann), draw(bo)]));
  return { quiet, pan: panned, draw: drawn, receive: received, 'draw and receive': both };
}

async function large() {
  await fill(url, 'large', COUNT);
  const browsers = [await launch(), await launch()];
  const [ann, bo] = await Promise.all(browsers.map((browser) => visit(browser, 'large')));
  const shown = (page) =>
    page.waitForFunction((count) => Number(document.querySelector('.summary')?.dataset.count) >= count, COUNT, { timeout: 120_000 });
  await Promise.all([ann, bo].map(shown));
  const loaded = await ann.evaluate(() => Math.round(performance.now()));
  const heap = await heapMb(ann);
  const all = await measureView(ann, bo);
  for (const page of [ann, bo]) {
    await page.locator('.excalidraw').first().focus();
    await page.keyboard.press('Control+0');
  }
  await sleep(500);
  const near = await measureView(ann, bo);
  const heapAfter = await heapMb(ann);
  // From here on there is one browser: what it needs to receive, without what the other needs to draw.
  await browsers[1].close();
  near['receive alone'] = await framesOfReceiving(ann);
  await ann.keyboard.press('Shift+Digit1');
  await sleep(1_000);
  all['receive alone'] = await framesOfReceiving(ann);
  const edges = Number(await ann.locator('.summary').getAttribute('data-count'));
  await browsers[0].close();
  return { shown_ms: loaded, heap_mb: heap, heap_after_mb: heapAfter, elements_after: edges, 'all in view': all, 'at full size': near };
}

const first = await firstStrokes();
const result = { chromium: (await (await launch()).version()), first_stroke_ms: first, elements: COUNT, ...(await large()) };
console.log(JSON.stringify(result));
process.exit(0);
