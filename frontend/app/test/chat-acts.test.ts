import type { Browser, Locator } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

const FEATURES = ['reply', 'react', 'edit', 'delete', 'files'];

describe.skipIf(!hasChromium)('what is done with messages', { timeout: 30_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => {
    ({ browser, server, url } = stubbed);
    server.features = FEATURES;
  });

  const messageOf = ({ page }: Visitor, text: string): Locator => page.locator('.log:not(.waiting) > .message', { hasText: text });
  const focusNewest = ({ page }: Visitor): Promise<void> => page.locator('.log:not(.waiting) > .message').last().focus();

  async function openMenu(visitor: Visitor, text: string): Promise<Locator> {
    await messageOf(visitor, text).hover();
    await messageOf(visitor, text).getByRole('button', { name: 'Actions for the message' }).click();
    return visitor.page.locator('.message-menu');
  }

  test('an answer quotes what it is about, and leads to it', async () => {
    const log = Array.from({ length: 300 }, (_, at) => ({ client_id: 'old', n: at + 1, text: `line ${at + 1}`, at: at * 1000 }));
    server.state.log.push(...log);
    server.state.log.push({ client_id: 'c-x', n: 1, text: 'about the beginning', at: 300_000, about: { kind: 'reply', client_id: 'old', n: 3 } });
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await until(async () => expect(await messageOf(ann, 'line 300').count()).toBe(1));
    await (await openMenu(ann, 'line 300')).getByRole('button', { name: 'Reply' }).click();
    expect(await ann.page.locator('.subject').textContent()).toContain('line 300');
    await ann.page.keyboard.type('I agree');
    await ann.page.keyboard.press('Enter');
    await until(async () => expect(await messageOf(bo, 'I agree').locator('.quote').textContent()).toContain('line 300'));
    expect(server.state.log.at(-1)).toMatchObject({ text: 'I agree', about: { kind: 'reply', client_id: 'old', n: 300 } });
    expect(await ann.page.locator('.subject').count()).toBe(0);
    const far = messageOf(bo, 'about the beginning').locator('.quote');
    expect(await far.textContent()).toBe('An earlier message');
    await far.click();
    await until(async () => expect(await messageOf(bo, 'line 3').first().evaluate((item) => item.matches('[data-found]'))).toBe(true));
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('reactions of two users are counted, and taken back', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await ann.say('who comes?');
    await until(async () => expect(await bo.texts()).toEqual(['who comes?']));
    await (await openMenu(ann, 'who comes?')).getByRole('button', { name: 'React with 👍' }).click();
    const thumb = messageOf(bo, 'who comes?').locator('.reactions button');
    await until(async () => expect(await thumb.allTextContents()).toEqual(['👍 1']));
    await thumb.click();
    await until(async () => expect(await messageOf(ann, 'who comes?').locator('.reactions button').allTextContents()).toEqual(['👍 2']));
    expect(await thumb.getAttribute('aria-pressed')).toBe('true');
    expect(await thumb.getAttribute('aria-label')).toBe('👍 2: Ann, Bo');
    await thumb.click();
    await until(async () => expect(await thumb.allTextContents()).toEqual(['👍 1']));
    await focusNewest(bo);
    await bo.page.keyboard.press('Enter');
    const any = bo.page.getByRole('textbox', { name: 'Any emoji' });
    await any.fill('no');
    await any.press('Enter');
    expect(await any.evaluate((input: HTMLInputElement) => input.validationMessage)).toBe('Type one emoji.');
    await any.fill('👩‍👩‍👧');
    await any.press('Enter');
    await until(async () => expect(await thumb.allTextContents()).toEqual(['👍 1', '👩‍👩‍👧 1']));
    expect(await bo.texts()).toEqual(['who comes?']);
    expect(await bo.page.title()).toBe('quiet-heron · isshoni');
  });

  test('a message is edited with the arrow key, and deleted after a question, by its author only', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await ann.say('helo');
    await until(async () => expect(await bo.texts()).toEqual(['helo']));
    const menu = await openMenu(bo, 'helo');
    expect(await menu.getByRole('button', { name: /Edit|Delete/ }).count()).toBe(0);
    await bo.page.keyboard.press('Escape');
    const composer = ann.page.locator('.composer textarea');
    await composer.press('ArrowUp');
    expect(await composer.inputValue()).toBe('helo');
    await composer.press('Backspace');
    await ann.page.keyboard.type('lo');
    await ann.page.keyboard.press('Enter');
    await until(async () => expect(await bo.texts()).toEqual(['hello(edited)']));
    expect(await composer.evaluate((input) => document.activeElement === input)).toBe(true);
    await focusNewest(ann);
    await ann.page.keyboard.press('Delete');
    const dialog = ann.page.locator('dialog');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(await bo.texts()).toEqual(['hello(edited)']);
    await focusNewest(ann);
    await ann.page.keyboard.press('Delete');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await until(async () => expect(await bo.texts()).toEqual(['This message was deleted.']));
    expect(server.state.log.map(({ text }) => text)).toEqual(['helo', 'hello', '(deleted)']);
  });

  test('messages are reached by arrow keys, and edited by key', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    for (const text of ['one', 'two', 'three']) await ann.say(text);
    await until(async () => expect(await ann.texts()).toEqual(['one', 'two', 'three']));
    await ann.page.locator('.chat .scroll').focus();
    await ann.page.keyboard.press('Tab');
    const focused = (): Promise<string> => ann.page.evaluate(() => document.activeElement!.querySelector('.text')?.textContent ?? '');
    expect(await focused()).toBe('three');
    await ann.page.keyboard.press('ArrowUp');
    expect(await focused()).toBe('two');
    await ann.page.keyboard.press('e');
    const composer = ann.page.locator('.composer textarea');
    expect(await composer.inputValue()).toBe('two');
    await composer.press('Escape');
    expect(await composer.inputValue()).toBe('');
  });

  test('a finger held on a message opens its menu, one that scrolls or taps does not', async () => {
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
    const ann = await Visitor.enter(browser, url, 'Ann', phone);
    await ann.page.locator('.tabs button').last().click();
    await ann.say('hold me');
    await until(async () => expect(await ann.texts()).toEqual(['hold me']));
    const { x, y } = (await messageOf(ann, 'hold me').locator('.text').boundingBox())!;
    const finger = await ann.page.context().newCDPSession(ann.page);
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', down = 0): Promise<unknown> =>
      finger.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x: x + 5, y: y + 5 + down }] });
    const menu = ann.page.locator('.message-menu');
    await touch('touchStart');
    await touch('touchEnd');
    await touch('touchStart');
    await touch('touchMove', 40);
    await ann.page.waitForTimeout(700);
    await touch('touchEnd');
    expect(await menu.isVisible()).toBe(false);
    await touch('touchStart');
    await messageOf(ann, 'hold me').and(ann.page.locator('[data-held]')).waitFor();
    await touch('touchEnd');
    await menu.getByRole('button', { name: 'Reply' }).tap();
    expect(await ann.page.locator('.subject').textContent()).toContain('hold me');
  });

  test('an older server is offered nothing that it does not take', async () => {
    server.features = [];
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.say('plain');
    await until(async () => expect(await ann.texts()).toEqual(['plain']));
    await openMenu(ann, 'plain');
    expect(await ann.page.locator('.message-menu button').allTextContents()).toEqual(['Copy the text']);
    await ann.page.keyboard.press('Escape');
    await ann.page.locator('.composer textarea').press('ArrowUp');
    expect(await ann.page.locator('.subject, .attach').count()).toBe(0);
  });

  test('what one reads stays in its place while messages above and below change their height', async () => {
    for (let n = 1; n <= 100; n += 1) server.state.log.push({ client_id: 'old', n, text: `line ${n}`, at: n * 1000 });
    const ann = await Visitor.enter(browser, url, 'Ann');
    await until(async () => expect(await ann.texts()).toHaveLength(100));
    const list = ann.page.locator('.chat .scroll');
    await list.evaluate((element) => void (element.scrollTop = 900));
    const places = (): Promise<number[]> =>
      list.evaluate((element) => {
        const { top, bottom } = element.getBoundingClientRect();
        const shown = [...element.querySelectorAll('[data-seq]')].map((item) => item.getBoundingClientRect());
        return shown.filter((box) => box.top >= top && box.bottom <= bottom).map((box) => box.top);
      });
    const before = await places();
    const act = (text: string, kind: string, n: number): void => {
      server.state.log.push({ client_id: 'old', n: server.state.log.length + 1, text, at: 200_000, about: { kind, client_id: 'old', n } });
      const event = server.state.event(server.state.log.length - 1);
      for (const connection of server.state.connections) connection.send(event);
    };
    act('👍', 'react', 2);
    act('much\nlonger\nthan\nbefore', 'edit', 5);
    act('(deleted)', 'delete', 90);
    await until(async () => expect(await ann.texts()).toContain('much\nlonger\nthan\nbefore(edited)'));
    await until(async () => expect((await ann.texts())[89]).toBe('This message was deleted.'));
    expect(await places()).toEqual(before);
  });
});
