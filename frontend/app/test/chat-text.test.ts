import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

describe.skipIf(!hasChromium)('the text of the chat', { timeout: 30_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  /** Add a message to the log and send it to all. */
  function post(text: string, at = Date.now(), client_id = 'other'): void {
    server.state.log.push({ client_id, n: server.state.log.length + 1, text, at });
    const event = server.state.event(server.state.log.length - 1);
    for (const connection of server.state.connections) connection.send(event);
  }

  /** Pretend that the page is hidden, or shown again. */
  const hide = (visitor: Visitor, hidden: boolean): Promise<void> =>
    visitor.page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);

  test('markup and links are shown, and HTML is text', async () => {
    post('**bold** *italic* `code` https://example.com/a.\n- one\n- two\n```\n**raw**\n```');
    post('<img src=x onerror=alert(1)> [x](javascript:alert(1)) javascript:alert(1)');
    const ann = await Visitor.enter(browser, url, 'Ann');
    const message = ann.page.locator('.log .text').first();
    await message.waitFor();
    expect(await message.locator('strong').textContent()).toBe('bold');
    expect(await message.locator('em').textContent()).toBe('italic');
    expect(await message.locator('p code').textContent()).toBe('code');
    expect(await message.locator('pre').textContent()).toBe('**raw**');
    expect(await message.locator('li').allTextContents()).toEqual(['one', 'two']);
    const link = message.locator('a');
    expect(await link.getAttribute('href')).toBe('https://example.com/a');
    expect([await link.getAttribute('target'), await link.getAttribute('rel')]).toEqual(['_blank', 'noopener noreferrer nofollow']);
    const hostile = ann.page.locator('.log .text').nth(1);
    expect(await hostile.locator('a, img').count()).toBe(0);
    expect(await hostile.textContent()).toContain('<img src=x');
    expect(ann.complaints).toEqual([]);
  });

  test('a long line of code does not widen the page of a phone', async () => {
    post(`\`\`\`\n${'long '.repeat(100)}\n\`\`\``);
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
    const ann = await Visitor.enter(browser, url, 'Ann', phone);
    await ann.page.locator('.tabs').getByRole('button', { name: 'Chat' }).click();
    await ann.page.locator('.log pre').waitFor();
    expect(await ann.page.evaluate(() => [innerWidth, document.documentElement.scrollWidth])).toEqual([390, 390]);
  });

  test('each day has its line, and each message its date on hover', async () => {
    post('first', Date.UTC(2026, 4, 1, 12), 'a');
    post('second', Date.UTC(2026, 4, 1, 12, 1), 'a');
    post('third', Date.UTC(2026, 4, 2, 12), 'a');
    const ann = await Visitor.enter(browser, url, 'Ann', { timezoneId: 'UTC' });
    await ann.page.locator('.day').nth(1).waitFor();
    expect(await ann.page.locator('.day').allTextContents()).toEqual(['Friday, May 1, 2026', 'Saturday, May 2, 2026']);
    expect(await ann.page.locator('.head time').first().getAttribute('title')).toContain('Friday, May 1, 2026 at 12:00:00');
    expect(await ann.page.getByText('second').locator('xpath=ancestor::*[@title]').getAttribute('title')).toContain('12:01:00');
    expect(await ann.page.locator('.head').count()).toBe(2);
  });

  test('what comes while the page is hidden is counted in the title and marked, until it is seen', async () => {
    post('before Ann came');
    const ann = await Visitor.enter(browser, url, 'Ann');
    const title = (): Promise<string> => ann.page.title();
    await until(async () => expect(await ann.texts()).toHaveLength(1));
    expect(await title()).toBe('quiet-heron · isshoni');
    await hide(ann, true);
    post('one');
    post('two');
    await until(async () => expect(await title()).toBe('(2) quiet-heron · isshoni'));
    const mark = ann.page.locator('.message', { has: ann.page.locator('.fresh') });
    expect(await mark.locator('.text').textContent()).toBe('one');
    await hide(ann, false);
    await until(async () => expect(await title()).toBe('quiet-heron · isshoni'));
    expect(await mark.count()).toBe(1);
    await ann.say('I have seen it');
    await until(async () => expect(await mark.count()).toBe(0));
  });

  test('what came while the page was hidden is still unread after a reload, and after that nothing is', async () => {
    post('before Ann came');
    const ann = await Visitor.enter(browser, url, 'Ann');
    const title = (): Promise<string> => ann.page.title();
    await until(async () => expect(await ann.texts()).toHaveLength(1));
    await hide(ann, true);
    post('one');
    post('two');
    await until(async () => expect(await title()).toBe('(2) quiet-heron · isshoni'));
    await ann.page.addInitScript(() => {
      if (sessionStorage.getItem('seen') === null) Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
    });
    await ann.page.reload();
    await until(async () => expect(await title()).toBe('(2) quiet-heron · isshoni'));
    expect(await ann.page.locator('.message', { has: ann.page.locator('.fresh') }).locator('.text').textContent()).toBe('one');
    await ann.page.evaluate(() => sessionStorage.setItem('seen', 'yes'));
    await hide(ann, false);
    await until(async () => expect(await title()).toBe('quiet-heron · isshoni'));
    await ann.page.reload();
    await until(async () => expect(await ann.texts()).toHaveLength(3));
    expect(await ann.page.locator('.fresh').count()).toBe(0);
    expect(await title()).toBe('quiet-heron · isshoni');
  });

  test('notifications that the browser denies are said to be denied, also if it denies them later', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const says = ann.page.locator('#notify [role=status]');
    // A headless browser denies them when it is asked.
    await ann.page.getByRole('button', { name: 'Notifications' }).click();
    await ann.page.getByRole('menuitemradio', { name: 'For each message' }).click();
    await until(async () => expect(await says.textContent()).toContain('does not allow'));
    expect(await ann.page.getByRole('menuitemradio', { name: 'No notifications' }).getAttribute('aria-checked')).toBe('true');
    await ann.page.evaluate(() => localStorage.setItem('isshoni:preferences', JSON.stringify({ name: 'Ann', notify: 'all' })));
    await ann.page.reload();
    await ann.page.getByRole('button', { name: 'Notifications' }).click();
    await until(async () => expect(await says.textContent()).toContain('does not allow'));
  });

  test('who reads above sees how many messages wait below, and goes there', async () => {
    for (let at = 0; at < 100; at += 1) post(`${at}`);
    const ann = await Visitor.enter(browser, url, 'Ann');
    await until(async () => expect(await ann.texts()).toHaveLength(100));
    await ann.page.locator('.chat .scroll').evaluate((element) => void (element.scrollTop = 300));
    post('below');
    await ann.page.getByRole('button', { name: '1 unread' }).click();
    await until(async () => expect(await ann.page.getByText('below', { exact: true }).isVisible()).toBe(true));
    await until(async () => expect(await ann.page.locator('.to-newest').count()).toBe(0));
  });

  test('a mention is completed by keyboard, marked for its reader, and brings a notification to a hidden page', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann Lee', { permissions: ['notifications'] });
    const bo = await Visitor.enter(browser, url, 'Bo');
    await ann.page.evaluate(() => {
      const shown: unknown[] = [];
      class Fake {
        static permission = 'default';
        static requestPermission = (): Promise<string> => Promise.resolve((Fake.permission = 'granted'));
        constructor(title: string, options: NotificationOptions) {
          shown.push([title, options.body]);
        }
      }
      Object.assign(globalThis, { Notification: Fake, shown });
    });
    await ann.page.getByRole('button', { name: 'Notifications' }).click();
    await ann.page.getByRole('menuitemradio', { name: 'When I am mentioned' }).click();
    await ann.page.keyboard.press('Escape');
    await hide(ann, true);
    const composer = bo.page.locator('.composer textarea');
    await until(async () => {
      await composer.fill('');
      await composer.pressSequentially('hello @an');
      expect(await bo.page.getByRole('option').allTextContents()).toEqual(['Ann Lee']);
    });
    await bo.page.keyboard.press('Enter');
    expect(await composer.inputValue()).toBe('hello @Ann Lee ');
    await bo.page.keyboard.press('Enter');
    await bo.say('no mention');
    await until(async () => expect(await ann.texts()).toEqual(['hello @Ann Lee', 'no mention']));
    expect(await ann.page.locator('.mention.self').textContent()).toBe('@Ann Lee');
    expect(await bo.page.locator('.mention').getAttribute('class')).toBe('mention');
    const shown = await ann.page.evaluate(() => (globalThis as unknown as { shown: unknown[] }).shown);
    expect(shown).toEqual([['Bo mentioned you · quiet-heron', 'hello @Ann Lee']]);
  });

  test('who is typing is shown to the other, and no longer than that', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    const line = ann.page.locator('.typing');
    await bo.page.locator('.composer textarea').pressSequentially('hm');
    await until(async () => expect(await line.textContent()).toBe('Bo is typing…'));
    await until(async () => expect(await line.textContent()).toBe(''));
    await bo.page.locator('.composer textarea').pressSequentially('m');
    await until(async () => expect(await line.textContent()).toBe('Bo is typing…'));
    await bo.page.keyboard.press('Enter');
    await until(async () => expect(await line.textContent()).toBe(''));
    expect(await bo.page.locator('.typing').textContent()).toBe('');
  });
});
