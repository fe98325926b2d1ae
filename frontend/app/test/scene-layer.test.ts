import type { Browser, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

const COUNT = 600;

interface Drawn {
  elements: number;
  drawn: number;
  /** Pixels that are not as they are when all elements are drawn. */
  wrong: number;
}

type Draw = (elements: unknown[], scene: { context: CanvasRenderingContext2D; canvas: HTMLCanvasElement }, draw: (element: unknown) => void) => void;

interface InPage {
  ISSHONI_DRAW: Draw;
  isshoni: { elements: Y.Map<Y.Map<unknown>> };
  drawings: Drawn[];
}

/** After each drawing of the canvas, draw all elements again and compare the pixels. */
function compareDrawings(): void {
  const page = globalThis as unknown as InPage;
  const original = page.ISSHONI_DRAW;
  page.drawings = [];
  page.ISSHONI_DRAW = (elements, scene, draw) => {
    const { context, canvas } = scene;
    const pixels = (): ImageData => context.getImageData(0, 0, canvas.width, canvas.height);
    const empty = pixels();
    let drawn = 0;
    original(elements, scene, (element) => {
      drawn += 1;
      draw(element);
    });
    const found = new Uint32Array(pixels().data.buffer);
    context.putImageData(empty, 0, 0);
    elements.forEach(draw);
    const wanted = new Uint32Array(pixels().data.buffer);
    page.drawings.push({ elements: elements.length, drawn, wrong: wanted.reduce((sum, pixel, at) => sum + Number(pixel !== found[at]), 0) });
  };
}

/** Change one property in the document, as other users do; returns the drawing that followed. */
async function change(page: Page, id: string, name: string, value: unknown): Promise<Drawn> {
  const before = await page.evaluate(() => (globalThis as unknown as InPage).drawings.length);
  await page.evaluate(([of, property, to]) => (globalThis as unknown as InPage).isshoni.elements.get(of)!.set(property, to), [id, name, value] as [string, string, unknown]);
  await until(async () => expect(await page.evaluate(() => (globalThis as unknown as InPage).drawings.length)).toBeGreaterThan(before));
  return lastDrawing(page);
}

const lastDrawing = (page: Page): Promise<Drawn> => page.evaluate(() => (globalThis as unknown as InPage).drawings.at(-1)!);

const MIXED: Record<string, unknown>[] = [
  { type: 'rectangle', width: 30, height: 28, angle: 0.3 },
  { type: 'arrow', width: 40, height: 30, points: [[0, 0], [-40, 12], [10, 30]], endArrowhead: 'arrow' },
  { type: 'text', width: 50, height: 25, text: 'note', originalText: 'note', fontSize: 20 },
  { type: 'diamond', width: 30, height: 28, backgroundColor: '#ffd8a8', opacity: 60 },
  { type: 'freedraw', width: 30, height: 20, points: [[0, 0], [10, -9], [30, 11]], pressures: [], simulatePressure: true },
]; // prettier-ignore

/** Store an element in the session's document; `place` is its place in the stack. */
function put(server: StubServer, id: string, properties: Record<string, unknown>, place: number): void {
  server.state.doc.getMap('elements').set(id, new Y.Map(Object.entries({ ...properties, seed: place + 1, index: `a${(place + 100_000).toString(36)}` })));
}

describe.skipIf(!hasChromium)('what stays the same on a large canvas', { timeout: 60_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  test('it is drawn as one picture, which looks as if all was drawn', async () => {
    server.state.doc.transact(() => {
      for (let at = 0; at < COUNT; at += 1) {
        const type = ['rectangle', 'ellipse', 'diamond'][at % 3];
        const place = { x: (at % 30) * 25, y: Math.floor(at / 30) * 25, index: `a${(at + 100_000).toString(36)}` };
        server.state.doc.getMap('elements').set(`e${at}`, new Y.Map(Object.entries({ type, ...place, width: 30, height: 28 })));
      }
    });
    const { page, complaints } = await Visitor.enter(browser, url, 'Ann');
    await page.locator(`.summary[data-count="${COUNT}"]`).waitFor({ state: 'attached' });
    await page.evaluate(compareDrawings);
    let x = 0;
    await until(async () => expect((await change(page, `e${COUNT - 1}`, 'x', (x += 1))).drawn).toBeLessThan(20));
    for (const [id, name, value] of [
      [`e${COUNT - 1}`, 'strokeColor', '#c4472f'],
      ['e0', 'x', 33],
      [`e${COUNT - 2}`, 'isDeleted', true],
      ['e9', 'backgroundColor', '#ffd8a8'],
      ['e9', 'index', 'a2zzz'],
    ] as const) {
      for (let again = 0; again < 3; again += 1) await change(page, 'e400', 'y', 300 + again);
      await change(page, id, name, value);
    }
    await page.mouse.move(800, 400);
    await page.mouse.wheel(40, 30);
    await change(page, 'e400', 'y', 310);
    const drawings = await page.evaluate(() => (globalThis as unknown as InPage).drawings);
    expect(drawings.filter(({ wrong }) => wrong > 0)).toEqual([]);
    expect(drawings.some(({ elements, drawn }) => drawn === elements)).toBe(true);
    // The comparison reads pixels often, which Chromium advises against.
    expect(complaints.filter((text) => !text.includes('willReadFrequently'))).toEqual([]);
  });

  test.each([
    { deviceScaleFactor: 1.5, colorScheme: 'dark' },
    { deviceScaleFactor: 2, colorScheme: 'light' },
  ] as const)('a view that moved is drawn in part, and when it rests as if all was drawn (%o)', async (screen) => {
    server.state.doc.transact(() => {
      for (let at = 0; at < COUNT; at += 1) put(server, `e${at}`, { ...MIXED[at % MIXED.length], x: (at % 30) * 25, y: Math.floor(at / 30) * 25 }, at);
      put(server, 'frame', { type: 'frame', x: 100, y: 100, width: 200, height: 150, name: 'Plan' }, COUNT + 1);
      put(server, 'framed', { type: 'ellipse', x: 150, y: 120, width: 300, height: 80, frameId: 'frame' }, COUNT + 2);
      put(server, 'image', { type: 'image', x: 300, y: 300, width: 60, height: 60, fileId: 'f'.repeat(40), status: 'saved' }, COUNT + 3);
      put(server, 'linked', { type: 'rectangle', x: 400, y: 200, width: 60, height: 60, link: 'https://example.org' }, COUNT + 4);
    });
    const { page } = await Visitor.enter(browser, url, 'Ann', { viewport: { width: 1000, height: 600 }, ...screen });
    await page.locator(`.summary[data-count="${COUNT + 4}"]`).waitFor({ state: 'attached' });
    await page.evaluate(compareDrawings);
    await page.locator('canvas.interactive').hover({ position: { x: 500, y: 300 } });
    // Drawn from the picture, or all of it at once where nothing of the picture is in view.
    const isWhole = ({ drawn, elements, wrong }: Drawn): boolean => wrong === 0 && (drawn < 20 || drawn >= elements);
    const atRest = (): Promise<void> => until(async () => void expect(await lastDrawing(page)).toSatisfy(isWhole));
    // By whole pixels and by halves, to each side, and so far that nothing of before is in view.
    for (const [x, y] of [[33, 17], [-41, 9], [-7, -25], [900, 0], [-900, 0]] as const) {
      await page.mouse.wheel(x, y);
      await atRest();
    }
    await change(page, `e${COUNT - 1}`, 'x', 5);
    await page.mouse.wheel(13, 0);
    await change(page, 'e20', 'strokeColor', '#c4472f');
    await page.mouse.wheel(0, 21);
    await change(page, 'framed', 'x', 120);
    await atRest();
    await page.setViewportSize({ width: 900, height: 640 });
    await page.mouse.wheel(15, 15);
    await atRest();
    await page.keyboard.press('e');
    await page.mouse.down();
    await page.mouse.move(520, 330, { steps: 4 });
    await page.mouse.up();
    await page.mouse.wheel(3, 5);
    await atRest();
    await page.keyboard.press('t');
    await page.mouse.click(600, 400);
    await page.keyboard.type('note');
    await page.mouse.wheel(5, 3);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+a');
    await page.mouse.wheel(-9, 4);
    await atRest();
    const drawings = await page.evaluate(() => (globalThis as unknown as InPage).drawings);
    expect(drawings.some(({ drawn, elements }) => drawn >= 20 && drawn < elements / 2)).toBe(true);
  });

  test('a view that is zoomed is drawn from a picture, and when it rests as if all was drawn', async () => {
    server.state.doc.transact(() => {
      for (let at = 0; at < COUNT; at += 1) put(server, `e${at}`, { ...MIXED[at % MIXED.length], x: (at % 30) * 25, y: Math.floor(at / 30) * 25 }, at);
    });
    const { page } = await Visitor.enter(browser, url, 'Ann', { viewport: { width: 1000, height: 600 } });
    await page.locator(`.summary[data-count="${COUNT}"]`).waitFor({ state: 'attached' });
    await page.evaluate(compareDrawings);
    await page.locator('canvas.interactive').hover({ position: { x: 500, y: 300 } });
    // From the picture, or all of it at once after something else changed.
    const isWhole = ({ drawn, elements, wrong }: Drawn): boolean => wrong === 0 && (drawn < 20 || drawn >= elements);
    const atRest = (): Promise<void> => until(async () => void expect(await lastDrawing(page)).toSatisfy(isWhole));
    let x = 0;
    await until(async () => expect((await change(page, `e${COUNT - 1}`, 'x', (x += 1))).drawn).toBeLessThan(20));
    for (const step of [-20, -20, 30, 30, -10]) {
      await page.keyboard.down('Control');
      await page.mouse.wheel(0, step);
      await page.keyboard.up('Control');
      await atRest();
    }
    await change(page, `e${COUNT - 1}`, 'x', 5);
    await atRest();
    const drawings = await page.evaluate(() => (globalThis as unknown as InPage).drawings);
    expect(drawings.some(({ wrong, drawn }) => wrong > 0 && drawn === 0)).toBe(true);
  });
});
