import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

describe.skipIf(!hasChromium)('the search in the chat', { timeout: 30_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  function fill(size: number, texts: Record<number, string>): void {
    for (let seq = 1; seq <= size; seq += 1) {
      server.state.log.push({ client_id: 'old', n: seq, text: texts[seq] ?? `nothing ${seq}`, at: seq * 60_000 });
    }
  }

  test('a message far back is found and shown where it stands', async () => {
    fill(900, { 12: 'the old needle', 880: 'a new Needle' });
    const ann = await Visitor.enter(browser, url, 'Ann');
    await until(async () => expect(await ann.texts()).toHaveLength(200));
    await ann.page.getByRole('button', { name: 'Search the chat' }).click();
    await ann.page.keyboard.type('needle');
    await ann.page.keyboard.press('Enter');
    const status = ann.page.locator('.search [role=status]');
    await until(async () => expect(await status.textContent()).toBe('2 found in all 900 messages'));
    expect(await ann.texts()).toHaveLength(200);
    const hits = ann.page.locator('.hits button');
    expect(await hits.locator('.found-text').allTextContents()).toEqual(['a new Needle', 'the old needle']);
    await hits.nth(1).press('Enter');
    const found = ann.page.locator('.message', { hasText: 'the old needle' });
    await until(async () => expect(await found.evaluate((element) => document.activeElement === element)).toBe(true));
    const inView = (): Promise<boolean> =>
      found.evaluate((element) => {
        const [item, list] = [element.getBoundingClientRect(), element.closest('.scroll')!.getBoundingClientRect()];
        return item.top >= list.top && item.bottom <= list.bottom;
      });
    expect(await inView()).toBe(true);
    const message = { client_id: 'old', n: 901, text: 'new', at: 0 };
    server.state.log.push(message);
    for (const connection of server.state.connections) connection.send(server.state.event(900));
    await until(async () => expect((await ann.texts()).at(-1)).toBe('new'));
    expect(await inView()).toBe(true);
    await ann.page.locator('.search input').press('Escape');
    expect(await ann.page.locator('.search').count()).toBe(0);
    expect(ann.complaints).toEqual([]);
  });

  test('a search that takes long shows how far it is, and can be cancelled and continued', async () => {
    fill(900, { 1: 'needle' });
    const ann = await Visitor.enter(browser, url, 'Ann');
    let held = true;
    server.fault = (_, frame) => frame.type === 'history' && frame.before === 501 && held;
    await ann.page.getByRole('button', { name: 'Search the chat' }).click();
    await ann.page.keyboard.type('needle');
    await ann.page.keyboard.press('Enter');
    const status = ann.page.locator('.search [role=status]');
    await until(async () => expect(await status.textContent()).toContain('Searching… 0 found in 400 messages'));
    await ann.page.locator('.search').getByRole('button', { name: 'Cancel' }).click();
    await until(async () => expect(await status.textContent()).toContain('0 found in 400 messages, back to'));
    held = false;
    // The page asks again on its next connection.
    server.connections[0]!.socket.terminate();
    await ann.page.getByRole('button', { name: 'Search further back' }).click();
    await until(async () => expect(await status.textContent()).toBe('1 found in all 900 messages'));
  });
});
