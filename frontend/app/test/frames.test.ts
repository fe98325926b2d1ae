import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

interface Shape {
  id: string;
  type: string;
  x: number;
  y: number;
  width: number;
  frameId: string | null;
  name?: string | null;
}

type Point = [x: number, y: number];

async function drag({ page }: Visitor, from: Point, to: Point): Promise<void> {
  await page.mouse.move(...from);
  await page.mouse.down();
  await page.mouse.move(...to, { steps: 8 });
  await page.mouse.up();
}

const shapes = async (visitor: Visitor): Promise<Shape[]> => (await visitor.scene()) as Shape[];
const find = (all: Shape[], type: string): Shape => all.find((shape) => shape.type === type)!;

describe.skipIf(!hasChromium)('frames', { timeout: 60_000 }, () => {
  let browser: Browser;
  let url: string;
  eachWithStub((stubbed) => ({ browser, url } = stubbed));

  /** Draw a rectangle, and a frame around it. */
  async function enterWithFrame(): Promise<[Visitor, Visitor]> {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    const grow = await ann.beginRectangle();
    await grow(1);
    await ann.page.mouse.up();
    await ann.take('f');
    await drag(ann, [370, 270], [620, 420]);
    await until(async () => expect(await bo.elements()).toBe(2));
    return [ann, bo];
  }

  const name = async ({ page }: Visitor, text: string): Promise<void> => {
    await page.locator('[id*="-frame-name-"]').dblclick();
    await page.locator('[id*="-frame-name-"] input').fill(text);
    await page.keyboard.press('Enter');
  };

  const same = (ann: Visitor, bo: Visitor): Promise<Shape[]> =>
    until(async () => {
      const [one, other] = await Promise.all([shapes(ann), shapes(bo)]);
      expect(other).toEqual(one);
      return one;
    });

  test('a frame holds what it was drawn around, moves it, and lets it go again, for all', async () => {
    const [ann, bo] = await enterWithFrame();
    const before = await same(ann, bo);
    expect(find(before, 'rectangle').frameId).toBe(find(before, 'frame').id);
    await ann.take('v');
    await drag(ann, [370, 350], [450, 400]);
    const moved = await until(async () => {
      const all = await same(ann, bo);
      expect(find(all, 'frame').x - find(before, 'frame').x).toBe(80);
      return all;
    });
    for (const axis of ['x', 'y'] as const) {
      const way = find(moved, 'frame')[axis] - find(before, 'frame')[axis];
      expect(find(moved, 'rectangle')[axis] - find(before, 'rectangle')[axis]).toBe(way);
    }
    await ann.page.keyboard.press('Control+z');
    await until(async () => expect(await shapes(bo)).toEqual(before));
    // The other takes the rectangle out of the frame.
    await bo.take('v');
    await drag(bo, [400, 320], [700, 520]);
    await until(async () => expect(find(await same(ann, bo), 'rectangle').frameId).toBe(null));
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('the name of a frame is seen by all, and is in what is saved', async () => {
    const [ann, bo] = await enterWithFrame();
    await name(ann, 'First sketch');
    await bo.page.locator('[id*="-frame-name-"]', { hasText: 'First sketch' }).waitFor();
    const all = await same(ann, bo);
    expect(find(all, 'frame').name).toBe('First sketch');
    const svg = await bo.save('as SVG');
    expect(svg).toContain('First sketch');
    expect(await bo.save('as PNG')).toContain('PNG');
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('a frame that is removed leaves its content, and holds it again once that is undone, for all', async () => {
    const [ann, bo] = await enterWithFrame();
    const before = await same(ann, bo);
    await ann.take('v');
    await ann.page.mouse.click(370, 350);
    await ann.page.keyboard.press('Delete');
    await until(async () => expect(await bo.elements()).toBe(1));
    expect(find(await same(ann, bo), 'rectangle').frameId).toBe(null);
    await ann.page.keyboard.press('Control+z');
    await until(async () => expect(await shapes(bo)).toEqual(before));
    await until(async () => expect(await shapes(ann)).toEqual(before));
  });

  test('a file with a frame is added with what is in it', async () => {
    const [ann, bo] = await enterWithFrame();
    await name(ann, 'First sketch');
    await bo.page.locator('[id*="-frame-name-"]', { hasText: 'First sketch' }).waitFor();
    const file = Buffer.from(await ann.save('as a file')).toString('base64');
    await ann.take('v');
    await ann.page.keyboard.press('Control+a');
    // The first removes the frame only, and selects what was in it.
    await ann.page.keyboard.press('Delete');
    await until(async () => expect(await bo.elements()).toBe(1));
    await ann.page.keyboard.press('Delete');
    await until(async () => expect(await bo.elements()).toBe(0));
    await bo.drop('drawing.excalidraw', 'application/vnd.excalidraw+json', file);
    await bo.page.getByRole('button', { name: 'Add to the canvas' }).click();
    const all = await until(async () => {
      const found = await same(ann, bo);
      expect(found).toHaveLength(2);
      return found;
    });
    expect(find(all, 'frame').name).toBe('First sketch');
    expect(find(all, 'rectangle').frameId).toBe(find(all, 'frame').id);
  });
});
