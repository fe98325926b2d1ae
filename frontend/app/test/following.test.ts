import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

describe.skipIf(!hasChromium)('who is where', { timeout: 60_000 }, () => {
  let browser: Browser;
  let url: string;
  eachWithStub((stubbed) => ({ browser, url } = stubbed));

  const openList = (visitor: Visitor): Promise<void> => visitor.page.getByRole('button', { name: 'Who is where' }).click();
  const zoom = (visitor: Visitor): Promise<string | null> => visitor.page.locator('.reset-zoom-button').textContent();

  test('the list says who is on the canvas, and who is not', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await bo.page.locator('.composer textarea').hover();
    await openList(ann);
    const row = ann.page.locator('.who-is-where li', { hasText: 'Bo' });
    await row.getByText('on this page').waitFor();
    await bo.page.locator('canvas.interactive').hover();
    await row.getByText('on the canvas').waitFor();
  });

  test('one who is followed is followed over the canvas, until Escape or a scroll of one’s own', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await Promise.all([ann, bo].map(({ page }) => page.locator('canvas.interactive').waitFor()));
    const before = await zoom(ann);
    await openList(ann);
    await ann.page.getByRole('button', { name: 'Follow Bo' }).click();
    await ann.page.getByText('You see what Bo sees.').waitFor();
    for (let press = 0; press < 3; press += 1) await bo.page.getByRole('button', { name: 'Zoom in' }).click();
    const after = await zoom(bo);
    expect(after).not.toBe(before);
    await until(async () => expect(await zoom(ann)).toBe(after));
    // They may follow each other: neither moves by itself then.
    await openList(bo);
    await bo.page.getByRole('button', { name: 'Follow Ann' }).click();
    await bo.page.getByText('You see what Ann sees.').waitFor();
    await bo.page.locator('.excalidraw').first().focus();
    await bo.page.keyboard.press('Escape');
    await until(async () => expect(await bo.page.locator('.followed').count()).toBe(0));
    expect([await zoom(ann), await zoom(bo)]).toEqual([after, after]);
    await ann.page.locator('canvas.interactive').hover();
    await ann.page.mouse.wheel(0, 100);
    await until(async () => expect(await ann.page.locator('.followed').count()).toBe(0));
    await bo.page.getByRole('button', { name: 'Reset zoom' }).click();
    await until(async () => expect(await zoom(bo)).toBe('100%'));
    expect(await zoom(ann)).toBe(after);
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('one who leaves is not followed any more', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await openList(ann);
    await ann.page.getByRole('button', { name: 'Follow Bo' }).click();
    await ann.page.locator('.followed').waitFor();
    await bo.page.close();
    await until(async () => expect(await ann.page.locator('.followed').count()).toBe(0));
  });
});
