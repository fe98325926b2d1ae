import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Frame } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, launch, servePage, Visitor } from './page.js';
import { until } from './stubbed.js';

describe.skipIf(!hasChromium)('pages embedded in the canvas', { timeout: 60_000 }, () => {
  let browser: Browser;
  let embedded: Server;
  let referrers: unknown[];
  let allowed: string;
  let server: StubServer;

  beforeAll(async () => {
    browser = await launch();
    embedded = createServer((request, response) => {
      referrers.push(request.headers.referer);
      response.writeHead(200, { 'content-type': 'text/html' }).end('<title>clip</title>An embedded page');
    });
    await new Promise<void>((resolve) => embedded.listen(0, '127.0.0.1', resolve));
    allowed = `http://127.0.0.1:${(embedded.address() as AddressInfo).port}`;
  });
  beforeEach(async () => {
    referrers = [];
    server = await new StubServer(undefined, servePage(allowed)).start();
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await server.stop();
  });
  afterAll(async () => {
    await browser.close();
    embedded.close();
  });

  const enter = (name: string): Promise<Visitor> => Visitor.enter(browser, `http://127.0.0.1:${server.port}/s/quiet-heron`, name);

  async function embed({ page }: Visitor, link: string): Promise<void> {
    await page.locator('.App-toolbar__extra-tools-trigger').click();
    await page.getByTestId('toolbar-embeddable').click();
    await page.mouse.move(420, 280);
    await page.mouse.down();
    await page.mouse.move(740, 460, { steps: 5 });
    await page.mouse.up();
    await page.locator('.excalidraw-hyperlinkContainer-input').fill(link);
    await page.keyboard.press('Enter');
  }

  const frames = (visitor: Visitor): Frame[] => visitor.page.frames().slice(1);

  async function showsPage({ page }: Visitor): Promise<void> {
    await page.frameLocator('iframe.excalidraw__embeddable').getByText('An embedded page').waitFor();
  }

  async function pasteText({ page }: Visitor, text: string): Promise<void> {
    await page.locator('canvas.interactive').hover();
    await page.locator('.excalidraw').first().focus();
    await page.evaluate((content) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', content);
      document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
    }, text);
  }

  test('show a page of a host that the operator allows, to all, in a sandbox and without the name of the session', async () => {
    const [ann, bo] = [await enter('Ann'), await enter('Bo')];
    await embed(ann, `${allowed}/clip`);
    for (const visitor of [ann, bo]) {
      await showsPage(visitor);
      const sandbox = await visitor.page.locator('iframe').getAttribute('sandbox');
      expect(sandbox).toContain('allow-scripts');
      expect(sandbox).not.toContain('top-navigation');
    }
    expect(new Set(referrers)).toEqual(new Set([`http://127.0.0.1:${server.port}/`]));
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('appear for a pasted link of an allowed host, and are undone with one undo', async () => {
    const ann = await enter('Ann');
    await ann.draw([[0.1, 0.7], [0.2, 0.8]]); // prettier-ignore
    await until(async () => expect(await ann.elements()).toBe(1));
    await pasteText(ann, `${allowed}/clip`);
    await showsPage(ann);
    await ann.page.getByRole('button', { name: 'Undo' }).click();
    await until(async () => expect(await ann.elements()).toBe(1));
    expect(frames(ann)).toEqual([]);
  });

  test('stay text when a link of another host is pasted', async () => {
    const ann = await enter('Ann');
    await pasteText(ann, 'https://other.example/clip');
    await until(async () => expect(Object.values(await ann.document())).toMatchObject([{ type: 'text' }]));
    expect(frames(ann)).toEqual([]);
  });

  test('refuse a page of another host in words, also when another client put it there', async () => {
    const [ann, bo] = [await enter('Ann'), await enter('Bo')];
    await embed(ann, 'https://other.example/clip');
    await ann.page.getByText('Pages of this host cannot be embedded here.').waitFor();
    await until(async () => expect(Object.values(await bo.document())).toMatchObject([{ link: 'https://other.example/clip' }]));
    expect(await bo.elements()).toBe(1);
    for (const visitor of [ann, bo]) expect(frames(visitor)).toEqual([]);
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('disappear when another client changes the link to a host that is not allowed', async () => {
    const ann = await enter('Ann');
    await embed(ann, `${allowed}/clip`);
    await showsPage(ann);
    await ann.page.mouse.click(300, 600);
    await ann.page.evaluate(() => {
      const { elements } = (globalThis as unknown as { isshoni: { elements: Map<string, Map<string, unknown>> } }).isshoni;
      for (const element of elements.values()) element.set('link', 'https://other.example/clip');
    });
    await until(() => expect(frames(ann)).toEqual([]));
    expect(ann.complaints).toEqual([]);
  });
});

// As every test in a browser: not run without one, which is an error in CI (scripts/test).
test.skipIf(!hasChromium)('the tool for embedded pages is not in the menu where the operator allows no host', async () => {
  const browser = await launch();
  const server = await new StubServer(undefined, servePage()).start();
  try {
    const ann = await Visitor.enter(browser, `http://127.0.0.1:${server.port}/s/quiet-heron`, 'Ann');
    await ann.page.locator('.App-toolbar__extra-tools-trigger').click();
    await ann.page.getByTestId('toolbar-mermaid').waitFor();
    expect(await ann.page.getByTestId('toolbar-embeddable').isVisible()).toBe(false);
  } finally {
    await browser.close();
    await server.stop();
  }
});
