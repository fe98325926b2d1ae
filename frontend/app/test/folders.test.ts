import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, PICTURE, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

describe.skipIf(!hasChromium)('a folder of the file system that is dropped', () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  let folder: string;
  let picture: string;
  eachWithStub((stubbed) => {
    ({ browser, server, url } = stubbed);
    server.features = ['files'];
  });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holiday-'));
    picture = join(folder, 'one.png');
    await writeFile(picture, Buffer.from(PICTURE, 'base64'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Drop files as the browser does: only then its data has entries of the file system. */
  async function drop({ page }: Visitor, selector: string, ...files: string[]): Promise<void> {
    await page.locator(selector).waitFor();
    const box = (await page.locator(selector).boundingBox())!;
    const browserOf = await page.context().newCDPSession(page);
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      const data = { items: [], files, dragOperationsMask: 1 };
      await browserOf.send('Input.dispatchDragEvent', { type, x: box.x + box.width / 2, y: box.y + box.height / 2, data });
    }
  }

  test('on the canvas is refused by its name, and the files beside it are inserted', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await drop(ann, 'canvas.interactive', folder, picture);
    await ann.page.getByText(/^holiday-.* is a folder\. Drop the files that are in it instead\./).waitFor();
    await until(async () => expect(await ann.elements()).toBe(1));
    expect(ann.complaints).toEqual([]);
  });

  test('on the chat is refused by its name, and the files beside it are attached', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await drop(ann, '.chat .scroll', folder);
    await ann.page.getByText(/^holiday-.* is a folder\./).waitFor();
    await drop(ann, '.chat .scroll', folder, picture);
    await until(async () => expect(await ann.page.locator('.attachments .file-name').allTextContents()).toEqual(['one.png']));
    expect(ann.complaints).toEqual([]);
  });
});
