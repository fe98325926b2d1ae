import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

describe.skipIf(!hasChromium)('the chat', { timeout: 30_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  test('older messages come as one scrolls up, and one stays where one reads', async () => {
    const log = Array.from({ length: 320 }, (_, at) => ({ client_id: 'old', n: at + 1, text: `${at + 1}`, at: at * 1000 }));
    server.state.log.push(...log);
    const ann = await Visitor.enter(browser, url, 'Ann');
    const all = log.map(({ text }) => text);
    await until(async () => expect(await ann.texts()).toEqual(all.slice(-200)));
    const list = ann.page.locator('.chat .scroll');
    const scrollUp = (): Promise<void> => list.evaluate((element) => void (element.scrollTop = 0));
    await scrollUp();
    await until(async () => expect(await ann.texts()).toEqual(all.slice(-250)));
    expect(await ann.page.getByText('121', { exact: true }).isVisible()).toBe(true);
    expect(await list.evaluate((element) => element.scrollTop)).toBeGreaterThan(500);
    for (const length of [300, 320]) {
      await scrollUp();
      await until(async () => expect(await ann.texts()).toEqual(all.slice(-length)));
    }
    const pages = server.connections[0]!.received.filter((frame) => frame.type === 'history');
    expect(pages.map((frame) => frame.before)).toEqual([121, 71, 21]);
  });

  test('who scrolls up while messages come in fast stays there', async () => {
    const say = (text: string): void => {
      server.state.log.push({ client_id: 'other', n: server.state.log.length + 1, text, at: 0 });
      const event = server.state.event(server.state.log.length - 1);
      for (const connection of server.state.connections) connection.send(event);
    };
    for (let at = 0; at < 100; at += 1) say(`${at}`);
    const ann = await Visitor.enter(browser, url, 'Ann');
    await until(async () => expect(await ann.texts()).toHaveLength(100));
    // A browser that gets no processor time would fall behind for ever: it is never far behind.
    let seen = 100;
    const flood = setInterval(() => void (server.state.log.length < seen + 100 && say('and more')), 4);
    const list = ann.page.locator('.chat .scroll');
    try {
      for (const top of [600, 500, 400]) {
        await list.evaluate((element, to) => void (element.scrollTop = to), top);
        const sent = server.state.log.length;
        await until(async () => {
          seen = await ann.page.locator('.chat .log .text').count();
          expect(seen).toBeGreaterThan(sent + 20);
        });
        expect(await list.evaluate((element) => element.scrollTop)).toBe(top);
        // Back to the end, so that the next one leaves it again.
        await list.evaluate((element) => void (element.scrollTop = element.scrollHeight));
      }
    } finally {
      clearInterval(flood);
    }
  });
});
