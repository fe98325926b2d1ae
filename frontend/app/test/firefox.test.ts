import { existsSync } from 'node:fs';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StubServer } from '../../packages/client/test/stub-server.js';
import { servePage } from './page.js';
import { until } from './stubbed.js';

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** The page's main job in a second engine; what is particular to a part is tested in Chromium. */
describe.skipIf(!existsSync(FIREFOX))('in Firefox', { timeout: 60_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, args: ['--width=1280', '--height=800'] });
  });

  afterAll(() => browser.close());

  beforeEach(async () => {
    server = await new StubServer(undefined, servePage()).start();
    page = await (await browser.createBrowserContext()).newPage();
    page.on('pageerror', (fault) => complaints.push(String(fault)));
    await page.goto(`http://127.0.0.1:${server.port}/s/quiet-heron`);
    await page.locator('dialog input').fill('Ann');
    await page.locator('dialog button').click();
    await page.waitForSelector('.health[data-status=restored]');
  });

  afterEach(async () => {
    await page.browserContext().close();
    await server.stop();
  });

  const texts = (): Promise<string[]> =>
    page.$$eval('.log:not(.waiting) .text', (found) => found.map((element) => element.textContent ?? ''));

  async function say(text: string): Promise<void> {
    await page.locator('.composer textarea').fill(text);
    await page.keyboard.press('Enter');
  }

  /** Draw one line with the pen, from points in the middle of the canvas. */
  async function draw(y: number): Promise<void> {
    await page.waitForSelector('canvas.interactive');
    await page.mouse.move(400, y);
    await page.mouse.down();
    await page.mouse.move(500, y + 30, { steps: 5 });
    await page.mouse.move(600, y, { steps: 5 });
    await page.mouse.up();
  }

  test('one enters, chats and draws, and goes on after a cut connection', async () => {
    await say('before');
    await draw(300);
    await until(() => expect(server.state.doc.getMap('elements').size).toBe(1));
    await until(async () => expect(await texts()).toEqual(['before']));
    server.connections.at(-1)!.socket.terminate();
    await say('while it was cut');
    await until(() => expect(server.connections).toHaveLength(2));
    await until(async () => expect(await texts()).toEqual(['before', 'while it was cut']));
    await page.keyboard.press('Escape');
    await draw(450);
    await until(() => expect(server.state.doc.getMap('elements').size).toBeGreaterThanOrEqual(2));
    expect(complaints).toEqual([]);
  });

  test('a move to another slot is followed without a gap', async () => {
    const first = await server.connection(0);
    first.migrate('green');
    const second = await server.connection(1);
    await say('moved');
    await until(async () => expect(await texts()).toEqual(['moved']));
    expect(second.query.get('target')).toBe('green');
    expect(complaints).toEqual([]);
  });
});
