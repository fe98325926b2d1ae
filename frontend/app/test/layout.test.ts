import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub } from './stubbed.js';

interface Box {
  name: string;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** The boxes of the parts that are shown; a part that is cut by its parent counts as far as it is seen. */
function boxesOf(page: Page, selectors: string[]): Promise<Box[]> {
  return page.evaluate(
    (names) =>
      names.flatMap((name) =>
        [...document.querySelectorAll(name)].flatMap((element) => {
          const { left, top, right, bottom } = element.getBoundingClientRect();
          const seen = right > left && bottom > top && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
          return seen ? [{ name, left, top, right, bottom }] : [];
        }),
      ),
    selectors,
  );
}

const overlap = (one: Box, other: Box): boolean =>
  Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1 &&
  Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1;

async function expectApart(page: Page, selectors: string[]): Promise<void> {
  const boxes = await boxesOf(page, selectors);
  const { width, height } = page.viewportSize()!;
  const pairs = boxes.flatMap((one, at) => boxes.slice(at + 1).flatMap((other) => (overlap(one, other) ? [[one, other]] : [])));
  expect.soft(pairs, 'parts over one another').toEqual([]);
  const cut = boxes.filter(({ left, top, right, bottom }) => left < -1 || top < -1 || right > width + 1 || bottom > height + 1);
  expect.soft(cut, 'parts outside the window').toEqual([]);
  expect.soft(await page.evaluate(() => document.documentElement.scrollWidth), 'width').toBeLessThanOrEqual(width);
}

const HEADER = ['.space .seal', '.session', '.health', '.people', '[popovertarget=who-is-where]', '.share', '.switches', '.menu-button'];
const CANVAS = ['.App-toolbar', '.undo', '.zoom-actions', '.mobile-misc-tools-container', '.unsaved-canvas'];
const CHAT = ['.scroll', '.composer textarea', '.seal-button'];
const LONG = 'Bartholomew Featherstonehaugh von und zu Hohenstein';

describe.skipIf(!hasChromium)('nothing overlaps, and nothing scrolls sideways', { timeout: 60_000 }, () => {
  let browser: Browser;
  let url: string;
  eachWithStub((stubbed) => {
    ({ browser } = stubbed);
    url = stubbed.url.replace('quiet-heron', 'a-session-with-an-uncommonly-long-name-for-a-narrow-window');
  });

  const enter = async (options: BrowserContextOptions): Promise<Page> => {
    const { page } = await Visitor.enter(browser, url, LONG.slice(0, 40), options);
    await page.locator('canvas.interactive').waitFor();
    return page;
  };

  describe.each(['en-GB', 'ko-KR'])('in %s', (locale) => {
    test.each([320, 760, 900])('at a width of %i', async (width) => {
      const page = await enter({ locale, viewport: { width, height: 720 } });
      await Visitor.enter(browser, url, 'Bo');
      await page.locator('.people .person').nth(1).waitFor({ state: 'attached' });
      await expectApart(page, [...HEADER, '.tabs', '.desk']);
      await expectApart(page, [...HEADER, ...CANVAS, ...(width > 760 ? CHAT : [])]);
      if (width <= 760) await page.locator('.tabs button').last().click();
      await page.locator('.composer textarea').fill(`A_word_that_does_not_break_${'x'.repeat(80)} and more`);
      await page.keyboard.press('Enter');
      await page.locator('.log:not(.waiting) .text').waitFor();
      await expectApart(page, [...HEADER, ...CHAT, '.tabs']);
    });

    test.each([320, 900])('on the home page, in menus and dialogs, at a width of %i', async (width) => {
      const page = await enter({ locale, viewport: { width, height: 640 } });
      for (const opener of ['[popovertarget=who-is-where]', '.menu-button']) {
        await page.locator(opener).click();
        await expectApart(page, ['.menu:popover-open']);
        await page.keyboard.press('Escape');
      }
      await page.locator('.people button').click();
      await expectApart(page, ['dialog[open]']);
      await page.goto(new URL('/', url).href);
      await page.locator('.create').waitFor();
      await expectApart(page, ['.switches', '.home > .seal', '.home h1', '.tagline', '.create', '.open']);
    });
  });
});
