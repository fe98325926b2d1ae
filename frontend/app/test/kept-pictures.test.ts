import type { Browser, Page, Route } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, PICTURE, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

const FILES = /\/sessions\/[^/]+\/files\//;
const refuse = (route: Route): Promise<void> => (route.request().method() === 'PUT' ? route.abort() : route.continue());

describe.skipIf(!hasChromium)('images on their way', { timeout: 60_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  const stored = (): number => server.state.doc.getMap('elements').size;

  /** Insert an image that cannot be uploaded, by a user who is let go from the page. */
  async function insertInVain(): Promise<Visitor> {
    const ann = await Visitor.enter(browser, url, 'Ann');
    ann.page.on('dialog', (dialog) => void dialog.accept());
    await ann.page.route(FILES, refuse);
    await ann.drop('one.png', 'image/png', PICTURE);
    await until(async () => expect(await ann.elements()).toBe(1));
    await until(async () => expect(await kept(ann)).toBe(1));
    return ann;
  }

  const kept = ({ page }: Visitor): Promise<number> =>
    page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const opening = indexedDB.open('isshoni-canvas');
          opening.onsuccess = () => {
            const counting = opening.result.transaction('pictures').objectStore('pictures').count();
            counting.onsuccess = () => {
              opening.result.close();
              resolve(counting.result);
            };
          };
        }),
    );

  /** Wait until the page has its database open: requests for one are answered in their order. */
  async function untilOpen(page: Page): Promise<void> {
    const exists = async (): Promise<boolean> =>
      page.evaluate(() => indexedDB.databases().then((all) => all.some(({ name }) => name === 'isshoni-arriving')));
    await until(async () => expect(await exists()).toBe(true));
    await page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          const opening = indexedDB.open('isshoni-arriving');
          opening.onsuccess = () => {
            opening.result.close();
            resolve();
          };
        }),
    );
  }

  test('an image that was not uploaded is there after a reload, where it was, and is uploaded then', async () => {
    const ann = await insertInVain();
    const before = (await ann.scene()) as { x: number; fileId: string }[];
    expect(stored()).toBe(0);
    await ann.page.reload();
    await until(async () => expect(await ann.elements()).toBe(1));
    expect(stored()).toBe(0);
    await ann.page.unroute(FILES);
    await until(() => expect(stored()).toBe(1));
    const [{ x, fileId }] = (await ann.scene()) as [{ x: number; fileId: string }];
    expect({ x, fileId }).toEqual({ x: before[0]!.x, fileId: before[0]!.fileId });
    const bo = await Visitor.enter(browser, url, 'Bo');
    await until(async () => expect(JSON.parse(await bo.save('as a file'))).toMatchObject({ files: { [fileId]: {} } }));
    await until(async () => expect(await kept(ann)).toBe(0));
  });

  test('another tab of the browser leaves alone what an open one uploads, and takes over what a closed one left', async () => {
    const ann = await insertInVain();
    const other = await ann.page.context().newPage();
    await other.goto(url);
    await other.locator('.health[data-status=restored]').waitFor();
    await other.locator('canvas.interactive').waitFor();
    await other.waitForTimeout(3_000);
    expect(stored()).toBe(0);
    await ann.page.close({ runBeforeUnload: false });
    await other.reload();
    await until(() => expect(stored()).toBe(1));
  });

  test('an image that its user erased before it was uploaded does not come back', async () => {
    const ann = await insertInVain();
    await ann.take('v');
    await ann.page.keyboard.press('Control+a');
    await ann.page.keyboard.press('Delete');
    await until(async () => expect(await kept(ann)).toBe(0));
    await ann.page.reload();
    await ann.page.locator('canvas.interactive').waitFor();
    await ann.draw([[0.1, 0.1], [0.3, 0.3]]);
    await until(async () => expect(await ann.elements()).toBe(1));
    expect(stored()).toBe(1);
  });

  test('an image that is pasted in the instant of a reload is there after it, once', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.page.locator('canvas.interactive').hover();
    await untilOpen(ann.page);
    const reloaded = ann.page.waitForEvent('load');
    await ann.page.evaluate((body) => {
      const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([bytes], 'picture', { type: 'image/png' }));
      document.querySelector<HTMLElement>('.excalidraw')!.focus();
      document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
      location.reload();
    }, PICTURE);
    await reloaded;
    await until(() => expect(stored()).toBe(1));
    await ann.page.reload();
    await until(async () => expect(await ann.elements()).toBe(1));
    const bo = await Visitor.enter(browser, url, 'Bo');
    await until(async () => expect(await bo.elements()).toBe(1));
    expect(stored()).toBe(1);
  });

  test.each(['the picker of the browser', 'an input'])('an image that is chosen with the image tool in the instant of a reload is there after it, once (%s)', async (by) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    // A dialog of the browser cannot be answered here; this one answers at once, and the page ends.
    await context.addInitScript(([body, hasPicker]) => {
      const bytes = Uint8Array.from(atob(body as string), (character) => character.charCodeAt(0));
      const file = new File([bytes], 'one.png', { type: 'image/png' });
      const place = window as unknown as { showOpenFilePicker?: unknown };
      const reload = (): void => void setTimeout(() => location.reload());
      delete place.showOpenFilePicker;
      if (hasPicker === true) place.showOpenFilePicker = () => Promise.resolve([{ getFile: () => (reload(), Promise.resolve(file)) }]);
      HTMLInputElement.prototype.click = function () {
        const chosen = new DataTransfer();
        chosen.items.add(file);
        this.files = chosen.files;
        this.dispatchEvent(new Event('change'));
        reload();
      };
    }, [PICTURE, by !== 'an input'] as const);
    const page = await context.newPage();
    await page.goto(url);
    await page.locator('dialog input').fill('Ann');
    await page.locator('dialog button').click();
    await page.locator('.health[data-status=restored]').waitFor();
    await page.locator('canvas.interactive').hover();
    await untilOpen(page);
    const reloaded = page.waitForEvent('load');
    await page.locator('.excalidraw').first().focus();
    await page.keyboard.press('9');
    await reloaded;
    await until(() => expect(stored()).toBe(1));
    await page.reload();
    await page.locator('.summary[data-count="1"]').waitFor({ state: 'attached' });
    await page.waitForTimeout(1_000);
    expect(stored()).toBe(1);
    await context.close();
  });
});
