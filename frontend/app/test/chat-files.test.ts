import { readFile } from 'node:fs/promises';
import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, PICTURE, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

describe.skipIf(!hasChromium)('files in the chat', { timeout: 30_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => {
    ({ browser, server, url } = stubbed);
    server.features = ['reply', 'react', 'edit', 'delete', 'files'];
  });

  /** Drop or paste a file into the chat. */
  const bring = (visitor: Visitor, how: 'drop' | 'paste', name: string, type: string, base64: string): Promise<void> =>
    visitor.page.evaluate(
      ([kind, called, media, body]) => {
        const bytes = Uint8Array.from(atob(body!), (character) => character.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], called!, { type: media! }));
        const target = document.querySelector('.composer textarea')!;
        const event =
          kind === 'drop'
            ? new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: dataTransfer, bubbles: true, cancelable: true });
        target.dispatchEvent(event);
      },
      [how, name, type, base64],
    );

  test('a dropped file and a pasted image go with a message, and the other user saves and sees them', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await bring(ann, 'drop', 'plan.txt', 'text/plain', btoa('the plan'));
    await bring(ann, 'paste', 'dot.png', 'image/png', PICTURE);
    const waiting = ann.page.locator('.attachments li');
    await until(async () => expect(await waiting.locator('.mark').allTextContents()).toEqual(['8 B', '70 B']));
    expect(await ann.page.locator('.attachments .hint').textContent()).toContain('a reload loses them');
    await ann.page.locator('.composer textarea').press('Enter');
    await until(async () => expect(await bo.page.locator('.files .file-name').allTextContents()).toEqual(['plan.txt', 'dot.png']));
    expect(await ann.page.locator('.attachments').count()).toBe(0);
    expect(server.state.log).toMatchObject([{ text: 'plan.txt, dot.png', files: [{ name: 'plan.txt', bytes: 8 }, { type: 'image/png' }] }]);
    const image = bo.page.locator('.preview img');
    await until(async () => expect(await image.evaluate((element: HTMLImageElement) => element.naturalWidth)).toBe(1));
    const saved = bo.page.waitForEvent('download');
    await bo.page.getByRole('button', { name: 'Save plan.txt' }).click();
    expect((await saved).suggestedFilename()).toBe('plan.txt');
    expect(await readFile(await (await saved).path(), 'utf8')).toBe('the plan');
    expect(await bo.texts()).toEqual([]);
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('what is too large, too many or fails is said, and can be left out or tried again', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    let fails = true;
    await ann.page.route('**/sessions/*/files/*', (route) => (fails ? route.abort() : route.continue()));
    expect(await ann.page.locator('.attach').getAttribute('title')).toBe('Attach files (up to 4 MB each, 8 in a message)');
    const choose = ann.page.locator('.composer input[type=file]');
    await choose.setInputFiles([
      { name: 'huge.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(4 * 1024 * 1024 + 1) },
      { name: 'small.bin', mimeType: 'application/octet-stream', buffer: Buffer.from('small') },
    ]);
    const items = ann.page.locator('.attachments li');
    await until(async () => expect(await items.locator('.fault').allTextContents()).toEqual(['too large: at most 4 MB', 'not uploaded']));
    await ann.say('not yet');
    expect(server.state.log).toEqual([]);
    expect(await ann.page.locator('.attachments .hint').textContent()).toContain('what failed (huge.bin, small.bin)');
    fails = false;
    await ann.page.getByRole('button', { name: 'Leave out huge.bin' }).click();
    await ann.page.getByRole('button', { name: 'Try again' }).click();
    await until(async () => expect(await items.locator('.mark').allTextContents()).toEqual(['5 B']));
    await choose.setInputFiles(Array.from({ length: 8 }, (_, at) => ({ name: `${at}`, mimeType: 'text/plain', buffer: Buffer.from(`${at}`) })));
    await until(async () => expect(await items.count()).toBe(8));
    expect(await ann.page.locator('.attachments .hint').textContent()).toBe('Left out: 1. A message takes 8 files.');
    await until(async () => expect(await items.locator('progress').count()).toBe(0));
    await ann.page.locator('.composer textarea').press('Enter');
    await until(() => expect(server.state.log).toMatchObject([{ text: 'not yet', files: { length: 8 } }]));
  });

  test('a file of a long name is no wider than the chat', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await bring(ann, 'drop', `${'long'.repeat(50)}.txt`, 'text/plain', btoa('text'));
    await ann.page.locator('.attachments .mark').waitFor();
    await ann.page.locator('.composer textarea').press('Enter');
    const file = ann.page.locator('.files .file');
    await file.waitFor();
    const [list, chat] = [(await file.boundingBox())!, (await ann.page.locator('.chat').boundingBox())!];
    expect(list.x + list.width).toBeLessThanOrEqual(chat.x + chat.width);
  });

  test('a message sent while its files are on their way goes once they are there, as it was sent', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const held: (() => void)[] = [];
    await ann.page.route('**/sessions/*/files/*', (route) => void held.push(() => void route.continue()));
    await bring(ann, 'drop', 'one.txt', 'text/plain', btoa('one'));
    await bring(ann, 'drop', 'two.txt', 'text/plain', btoa('two'));
    await until(() => expect(held).toHaveLength(2));
    const hint = ann.page.locator('.attachments .hint');
    await ann.say('my files');
    await hint.getByText('is sent as soon as its files are uploaded').waitFor();
    held[0]!();
    await until(async () => expect(await ann.page.locator('.attachments progress').count()).toBe(1));
    expect(server.state.log).toEqual([]);
    // Another word takes it back, until it is sent again.
    await ann.page.locator('.composer textarea').pressSequentially('!');
    await hint.getByText('a reload loses them').waitFor();
    await ann.page.keyboard.press('Enter');
    held[1]!();
    await until(() => expect(server.state.log).toMatchObject([{ text: 'my files!', files: [{ name: 'one.txt' }, { name: 'two.txt' }] }]));
    expect(await ann.page.locator('.composer textarea').inputValue()).toBe('');
    expect(await ann.page.locator('.attachments').count()).toBe(0);
  });

  test('an upload on its way shows its progress and is cancelled', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.page.route('**/sessions/*/files/*', () => undefined);
    await bring(ann, 'drop', 'slow.txt', 'text/plain', btoa('slow'));
    await ann.page.getByRole('progressbar', { name: 'Uploading slow.txt' }).waitFor();
    await ann.page.getByRole('button', { name: 'Leave out slow.txt' }).click();
    await until(async () => expect(await ann.page.locator('.attachments').count()).toBe(0));
    await ann.say('without it');
    await until(() => expect(server.state.log).toMatchObject([{ text: 'without it' }]));
    expect(server.state.log[0]!.files).toBeUndefined();
  });
});
