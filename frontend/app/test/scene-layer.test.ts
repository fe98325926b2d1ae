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
  return page.evaluate(() => (globalThis as unknown as InPage).drawings.at(-1)!);
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
});
