import type { Browser } from 'playwright-core';
import { describe, expect, test, vi } from 'vitest';
import type * as Y from 'yjs';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, PICTURE, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

const RUBBISH = [
  null, 7, 'text', [], {}, { type: 'stroke', points: 'M0 0' }, { type: 'iframe', x: 0, y: 0, width: 1, height: 1 },
  { type: 'freedraw', x: 0, y: 0, width: 1, height: 1, points: [[0, 0], 'x', [1, null]].slice(1, 2) },
  { type: 'text', x: 0, y: 0, width: 1, height: 1, text: {} }, { type: 'image', x: 0, y: 0, width: 1, height: 1, fileId: '../..' },
  { type: '__proto__', x: 0, y: 0, width: 1, height: 1 }, { type: 'rectangle', x: Infinity, y: 0, width: 1, height: 1 },
]; // prettier-ignore

describe.skipIf(!hasChromium)('the page', { timeout: 30_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  test('two people talk and draw under a strict policy, and nothing complains', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, '보람', { locale: 'ko-KR' });
    await ann.say('hello');
    await bo.say('안녕하세요');
    await until(async () => expect(await ann.texts()).toEqual(['hello', '안녕하세요']));
    await until(async () => expect(await bo.texts()).toEqual(['hello', '안녕하세요']));
    expect(await ann.page.locator('.who').allTextContents()).toEqual(['Ann', '보람']);
    await ann.draw([[0.2, 0.2], [0.5, 0.6], [0.8, 0.3]]);
    await until(async () => expect(await bo.elements()).toBe(1));
    await bo.take('e');
    await bo.draw([[0, 0.4], [1, 0.4]]);
    await until(async () => expect(await ann.elements()).toBe(0));
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('a stroke grows for the others while it is drawn, and is undone as one', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    const points = (): number => {
      const [stroke] = server.state.doc.getMap<Y.Map<Y.Array<unknown>>>('elements').values();
      return stroke?.get('points')?.length ?? 0;
    };
    await ann.draw([[0.1, 0.1], [0.4, 0.3]], { lift: false });
    await until(() => expect(points()).toBeGreaterThan(2));
    await until(async () => expect(await bo.elements()).toBe(1));
    const before = points();
    await ann.page.mouse.move(600, 500, { steps: 5 });
    await until(() => expect(points()).toBeGreaterThan(before));
    await ann.page.mouse.up();
    await ann.page.keyboard.press('Control+z');
    await until(async () => expect(await bo.elements()).toBe(0));
    await ann.page.getByRole('button', { name: 'Redo' }).click();
    await until(async () => expect(await bo.elements()).toBe(1));
  });

  test('the others see where one points, and what one is called', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await ann.page.locator('canvas.interactive').hover();
    const plain = await bo.page.locator('canvas.interactive').screenshot();
    await ann.page.mouse.move(500, 400);
    await until(async () => expect(await bo.page.locator('canvas.interactive').screenshot()).not.toEqual(plain));
    await until(async () => expect(await bo.page.locator('.people li').count()).toBe(2));
  });

  test('rubbish from a stranger is not shown, and harms nothing', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const elements = server.state.doc.getMap('elements');
    const rectangle = { type: 'rectangle', x: 0, y: 0, width: 10, height: 10 };
    server.state.doc.transact(() => {
      for (const [at, value] of RUBBISH.entries()) elements.set(`rubbish-${at}`, value);
      elements.set('odd', { ...rectangle, strokeColor: 'url(//evil)', link: 'javascript:alert(1)', groupIds: 7, index: '!' });
      elements.set('good', rectangle);
    });
    server.announce();
    await until(async () => expect(await ann.elements()).toBe(2));
    await ann.draw([[0.2, 0.2], [0.5, 0.6]]);
    await until(async () => expect(await ann.elements()).toBe(3));
    expect(ann.complaints).toEqual([]);
  });

  test('a link with a token lets one in, and is not what is shared', async () => {
    server.refuse = (query) => (query.get('token') === 'secret' ? null : 4401);
    const stranger = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    await stranger.goto(url);
    await stranger.getByText('Ask for a new link.').waitFor();
    const ann = await Visitor.enter(browser, `${url}#token=secret`, 'Ann');
    await ann.say('hello');
    await until(async () => expect(await ann.texts()).toEqual(['hello']));
    await ann.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await ann.page.getByRole('button', { name: 'Share' }).click();
    await ann.page.getByText('Link copied').waitFor();
    expect(await ann.page.evaluate(() => navigator.clipboard.readText())).toBe(url);
  });

  test('whoever may only read is told so, can write nothing, and has nothing unsaved', async () => {
    server.permit = { subject: 'ann', role: 'read', expires_in_ms: null };
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.page.getByText('With this link you can read, but not write.').waitFor();
    expect(await ann.page.locator('.composer').count()).toBe(0);
    await ann.page.getByRole('button', { name: 'Ann (you)' }).waitFor();
    await ann.draw([[0.2, 0.2], [0.5, 0.6]]);
    await ann.page.locator('.menu-button').click();
    await ann.page.getByRole('menuitem', { name: 'Save the chat as text' }).waitFor();
    expect(await ann.page.getByRole('menuitem', { name: 'Delete' }).count()).toBe(0);
    expect(await ann.elements()).toBe(0);
    expect(await ann.page.locator('.health[data-unsaved]').count()).toBe(0);
    expect([...server.state.doc.getMap('people').keys()]).toEqual([]);
  });

  test('a picture that is too large is not taken, and it is said why', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.page.locator('canvas.interactive').waitFor();
    const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><!--${'x'.repeat(4 * 1024 * 1024)}--></svg>`;
    await ann.paste('image/svg+xml', Buffer.from(drawing).toString('base64'));
    await ann.page.getByText('File is too big. Maximum allowed size is 4MB.').waitFor();
    await ann.page.mouse.click(200, 600);
    // A server may take less than the editor does.
    await ann.page.route('**/files/**', (route) => route.fulfill({ status: 413 }));
    await ann.paste('image/png', PICTURE);
    await ann.page.getByText('This image is larger than 4 MB.').waitFor();
    expect(await ann.page.locator('.health[data-unsaved]').count()).toBe(0);
  });

  test('every image of one drop, and of one paste, is inserted and shared', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await ann.drop('one.png', 'image/png', PICTURE, PICTURE);
    await until(async () => expect(await ann.elements()).toBe(2));
    await until(async () => expect(await bo.elements()).toBe(2));
    await ann.paste('image/png', PICTURE, PICTURE, PICTURE);
    await until(async () => expect(await ann.elements()).toBe(5));
    const places = (await ann.scene()).map((element) => (element as { x: number }).x);
    expect(new Set(places).size).toBeGreaterThanOrEqual(3);
    expect(ann.complaints).toEqual([]);
  });

  test('the canvas is saved as a picture, as a drawing, and as a file', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.draw([[0.2, 0.2], [0.5, 0.6]]);
    await until(async () => expect(await ann.elements()).toBe(1));
    expect((await ann.save('as PNG')).slice(1, 4)).toBe('PNG');
    expect(await ann.save('as SVG')).toMatch(/^<svg/);
    expect(JSON.parse(await ann.save('as a file'))).toMatchObject({ type: 'excalidraw', elements: [{ type: 'freedraw' }] });
    expect(ann.complaints).toEqual([]);
  });

  const refusals = [[4409, 'No new session can be created'], [4410, 'deleted, or it expired']] as const;
  test.each(refusals)('one refused for good (%i) says why, and is not asked for again', async (code, sentence) => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    server.connections[0]!.socket.close(code);
    await ann.page.getByText(sentence).waitFor();
    expect(server.connections).toHaveLength(1);
  });

  test('a message is seen to be unsaved until it is, over a reload too', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    server.fault = (_, frame) => frame.type === 'chat';
    await ann.say('keep me');
    await until(async () => expect(await ann.page.locator('.unsaved .text').allTextContents()).toEqual(['keep me']));
    let warned = false;
    ann.page.on('dialog', (dialog) => {
      warned = true;
      void dialog.accept();
    });
    await ann.page.reload();
    expect(warned).toBe(true);
    await until(async () => expect(await ann.page.locator('.unsaved .text').allTextContents()).toEqual(['keep me']));
    server.fault = null;
    server.connections.at(-1)!.socket.close(1012);
    await until(async () => expect(await ann.texts()).toEqual(['keep me']));
    expect(await ann.page.locator('.unsaved').count()).toBe(0);
    expect(server.state.log.map((message) => message.text)).toEqual(['keep me']);
  });

  test('a draft is continued at its end after a reload', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.page.locator('.composer textarea').fill('hello');
    await ann.page.reload();
    await ann.page.locator('.health[data-status=restored]').waitFor();
    await ann.page.locator('.composer textarea').focus();
    await ann.page.keyboard.type(' world');
    expect(await ann.page.locator('.composer textarea').inputValue()).toBe('hello world');
  });

  test('the Enter that ends a syllable sends nothing, in Safari too', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const composer = ann.page.locator('.composer textarea');
    await composer.fill('안녕');
    for (const sign of [{ keyCode: 229 }, { isComposing: true }]) {
      await composer.dispatchEvent('keydown', { key: 'Enter', code: 'Enter', ...sign });
      expect(await composer.inputValue()).toBe('안녕');
    }
    await composer.press('Enter');
    await until(async () => expect(await ann.texts()).toEqual(['안녕']));
    expect(server.state.log).toHaveLength(1);
    await ann.page.getByRole('button', { name: 'Ann (you)' }).click();
    const sends = await ann.page.locator('dialog input').evaluate((field) => {
      const press = (keyCode: number): boolean =>
        field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', keyCode, bubbles: true, cancelable: true }));
      return [press(229), press(13)];
    });
    expect(sends).toEqual([false, true]);
  });

  test('a planned move is told, and breaks nothing', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    server.identity = { version: 'v1.1', colour: 'green', heartbeat_seconds: 20 };
    server.connections[0]!.migrate('green');
    await ann.page.getByText('moved to v1.1 in 0 ms').waitFor();
    expect(await ann.page.locator('.health').innerText()).toContain('v1.1 · green');
  });

  test('an outage is shown, and all that was done during it arrives', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.page.locator('canvas.interactive').waitFor();
    const { port } = server;
    await server.stop();
    await ann.page.locator('.health[data-status=reconnecting]').waitFor();
    await ann.say('from the dark');
    await ann.draw([[0.2, 0.2], [0.4, 0.4]]);
    await server.start(port);
    await ann.page.locator('.health[data-status=restored]').waitFor();
    await until(() => expect(server.state.log.map((message) => message.text)).toEqual(['from the dark']));
    await until(() => expect(server.state.doc.getMap('elements').size).toBe(1));
  });

  test('a duplicated tab is a client of its own', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const copy = await ann.page.context().newPage();
    const stored = await ann.page.evaluate(() => JSON.stringify(sessionStorage));
    await copy.addInitScript((items: string) => {
      Object.entries(JSON.parse(items) as Record<string, string>).forEach(([key, value]) => sessionStorage.setItem(key, value));
    }, stored);
    await copy.goto(url);
    await copy.locator('.health[data-status=restored]').waitFor();
    const ids = server.connections.map((connection) => connection.clientId);
    expect(new Set(ids).size).toBe(2);
  });

  test('a name is written once, and everybody has a tint of their own', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await Visitor.enter(browser, url, 'Bo');
    const people = server.state.doc.getMap('people');
    await until(() => expect([...people.values()]).toEqual([{ name: 'Ann', tint: 0, colour: 0 }, { name: 'Bo', tint: 1, colour: 1 }]));
    const writes = vi.fn();
    people.observe(writes);
    await ann.page.reload();
    await until(async () => expect(await ann.page.locator('.people li').count()).toBe(2));
    expect(writes).not.toHaveBeenCalled();
  });

  test('the language and the theme change without losing anything', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.say('hello');
    await ann.page.getByRole('button', { name: '한국어' }).click();
    await until(async () => expect(await ann.texts()).toEqual(['hello']));
    expect(await ann.page.locator('html').getAttribute('lang')).toMatch(/^ko/);
    await ann.page.getByText('연결됨').waitFor();
    expect(server.connections).toHaveLength(1);
  });
});
