import type { Browser, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { hasChromium } from './page.js';
import { eachWithStub, until } from './stubbed.js';

/** The accessible name, or else the text, of what has the focus. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const element = document.activeElement as HTMLElement;
    const labels = (element as HTMLInputElement).labels;
    return element.getAttribute('aria-label') ?? labels?.[0]?.textContent ?? element.textContent.trim();
  });

/** Press Tab until a part has the focus; each part on the way must be visible and show its focus. */
async function tabTo(page: Page, name: string | RegExp, key = 'Tab'): Promise<void> {
  const passed: string[] = [];
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press(key);
    const now = await focused(page);
    passed.push(now);
    if (typeof name === 'string' ? now === name : name.test(now)) return expectVisibleFocus(page);
  }
  throw new Error(`Tab does not reach ${String(name)}; it passes ${passed.join(' | ')}`);
}

async function expectVisibleFocus(page: Page): Promise<void> {
  const look = await page.evaluate(() => {
    const element = document.activeElement!;
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    const { width, height } = element.getBoundingClientRect();
    return { marked: (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none', seen: width > 0 && height > 0 };
  });
  expect(look, await focused(page)).toEqual({ marked: true, seen: true });
}

describe.skipIf(!hasChromium)('everything by keyboard', { timeout: 60_000 }, () => {
  let browser: Browser;
  let url: string;
  eachWithStub((stubbed) => ({ browser, url } = stubbed));

  async function enterByKeyboard(): Promise<Page> {
    const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    await page.goto(new URL('/', url).href);
    await page.locator('.create').waitFor();
    await tabTo(page, 'Your name');
    await page.keyboard.type('Ann');
    await tabTo(page, 'or open a canvas by its name');
    await page.keyboard.type('quiet-heron');
    await tabTo(page, 'Open');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/s/quiet-heron');
    await page.locator('.health[data-status=restored]').waitFor();
    await page.locator('canvas.interactive').waitFor();
    return page;
  }

  test('from the home page into a session, and to a message that is sent', async () => {
    const page = await enterByKeyboard();
    await tabTo(page, 'Message');
    await page.keyboard.type('Hello');
    await page.keyboard.press('Enter');
    await page.locator('.log:not(.waiting) .text').getByText('Hello').waitFor();
    await tabTo(page, 'Send');
    // Around the page and back: nothing keeps the focus.
    await tabTo(page, 'isshoni – Home');
  });

  test('a menu opens at its first item, is walked by arrows, and returns the focus', async () => {
    const page = await enterByKeyboard();
    await tabTo(page, 'Save and more');
    await page.keyboard.press('Enter');
    await until(async () => expect(await focused(page)).toBe('Save the canvas as PNG'));
    await page.keyboard.press('ArrowDown');
    expect(await focused(page)).toBe('Save the canvas as SVG');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    expect(await focused(page)).toBe('Delete this session…');
    await page.keyboard.press('Enter');
    await page.locator('dialog[open]').waitFor();
    expect(await focused(page)).toBe('Cancel');
    await tabTo(page, 'Delete');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await until(async () => expect(await focused(page)).toBe('Save and more'));
    await page.locator('.health[data-status=restored]').waitFor();
  });

  test('the list of users, the own name, and language and theme', async () => {
    const page = await enterByKeyboard();
    await tabTo(page, /^Ann \(you\)/);
    await page.keyboard.press('Enter');
    await page.locator('dialog[open]').waitFor();
    expect(await focused(page)).toBe('Your name');
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('Bo');
    await page.keyboard.press('Enter');
    await until(async () => expect(await focused(page)).toMatch(/^Bo \(you\)/));
    await tabTo(page, 'Who is where');
    await page.keyboard.press('Enter');
    await page.locator('#who-is-where').waitFor();
    await page.keyboard.press('Escape');
    await until(async () => expect(await focused(page)).toBe('Who is where'));
    await tabTo(page, '한국어');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: '메시지' }).or(page.getByLabel('메시지', { exact: true })).first().waitFor();
    await tabTo(page, '밝은 테마 또는 어두운 테마');
    await page.keyboard.press('Space');
    await page.locator('html[data-theme=dark]').waitFor();
  });

  test('the menu of the canvas is walked and left', async () => {
    const page = await enterByKeyboard();
    await tabTo(page, 'Menu of the canvas');
    await page.keyboard.press('Enter');
    await page.locator('.dropdown-menu').waitFor();
    await tabTo(page, /^Open a file/);
    await page.keyboard.press('Escape');
    await page.locator('.dropdown-menu').waitFor({ state: 'detached' });
    await tabTo(page, /^Message$/);
  });
});
