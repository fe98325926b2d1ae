import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, PICTURE, Visitor } from './page.js';
import { PathProxy } from './path-proxy.js';
import { eachWithStub, until } from './stubbed.js';

describe.skipIf(!hasChromium)('the way to the page', { timeout: 60_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  test('all of it works below a path of its own', async () => {
    const proxy = await new PathProxy(server.port).start();
    const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    await page.goto(`${proxy.address}/`);
    await page.getByLabel('Your name').fill('Ann');
    await page.getByRole('button', { name: 'New canvas' }).click();
    await page.waitForURL(/\/draw\/s\/[a-z0-9-]+$/);
    await page.locator('.health[data-status=restored]').waitFor();
    const ann = await Visitor.enter(browser, `${proxy.address}/s/quiet-heron`, 'Ann');
    const bo = await Visitor.enter(browser, `${proxy.address}/s/quiet-heron/`, 'Bo');
    await ann.say('hello');
    await until(async () => expect(await bo.texts()).toEqual(['hello']));
    await ann.draw([[0.2, 0.2], [0.5, 0.6]]);
    await ann.paste('image/png', PICTURE);
    await until(async () => expect(await bo.elements()).toBe(2));
    await until(async () => expect(await bo.save('as a file')).toContain('data:image/png;base64,'));
    await ann.take('t');
    await ann.page.mouse.click(700, 400);
    await ann.page.keyboard.type('drawn with a font of its own');
    await ann.page.keyboard.press('Escape');
    await until(async () => expect(await bo.elements()).toBe(3));
    expect(await ann.page.locator('a.seal').evaluate((seal: HTMLAnchorElement) => seal.href)).toBe(`${proxy.address}/`);
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
    proxy.stop();
  });

  test('a page that the server does not accept is told why', async () => {
    server.refuse = () => 1013;
    const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    const refusal = { code: 'foreign_origin', message: 'the page is from https://h, but the request was for 10.0.0.7' };
    await page.route('**/admission', (route) => route.fulfill({ status: 403, json: refusal }));
    await page.goto(url);
    await page.getByText(`The server does not accept this page: ${refusal.message}.`).waitFor();
    server.refuse = () => null;
    await page.locator('.health[data-status=restored]').waitFor();
    expect(await page.getByText(refusal.message).count()).toBe(0);
  });

  test('the front page leads to a new canvas with a readable name', async () => {
    const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    await page.goto(`http://127.0.0.1:${server.port}/`);
    await page.getByLabel('Your name').fill('Ann');
    await page.getByRole('button', { name: 'New canvas' }).click();
    await page.waitForURL(/\/s\/[a-z]+-[a-z]+-[a-z0-9]{6}$/);
    await page.locator('.health[data-status=restored]').waitFor();
    expect(await page.locator('dialog').count()).toBe(0);
  });
});
