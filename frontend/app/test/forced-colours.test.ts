import type { Browser, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { somePast, STATES } from '../../dashboard/test/stands.js';
import { StubDashboard } from '../../dashboard/test/stub.js';
import { expectNoViolations } from './axe.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

const MEDIA = { forcedColors: 'active', reducedMotion: 'reduce' } as const;
/** How many stops of Tab are looked at. */
const STOPS = 24;

describe.skipIf(!hasChromium)('with forced colours and reduced motion', () => {
  let browser: Browser;
  let url: string;
  eachWithStub((stubbed) => ({ browser, url } = stubbed));

  /** Fail if a part that Tab reaches does not show it: shadows and backgrounds are not drawn here, outlines are. */
  async function expectOutlines(page: Page): Promise<void> {
    for (let stop = 0; stop < STOPS; stop += 1) {
      await page.keyboard.press('Tab');
      const [name, isMarked] = await page.evaluate(() => {
        const element = document.activeElement!;
        if (element === document.body) return ['the page', true] as const;
        // The editor marks a hidden field at its label.
        const shown = [element, element.closest('label') ?? element, element.nextElementSibling ?? element].map((part) => getComputedStyle(part));
        const marked = shown.some(({ outlineStyle, outlineWidth }) => outlineStyle !== 'none' && outlineWidth !== '0px');
        return [element.outerHTML.slice(0, 120), marked] as const;
      });
      expect.soft(isMarked, name).toBe(true);
    }
  }

  const moving = (page: Page): Promise<string[]> =>
    page.evaluate(() =>
      document
        .getAnimations()
        .filter(({ effect }) => Number(effect!.getComputedTiming().duration) > 1)
        .map((animation) => `${animation.constructor.name} ${(animation as CSSAnimation).animationName}`),
    );

  test('a session shows the focus, what is on, and its state, and nothing moves', async () => {
    const { page } = await Visitor.enter(browser, url, 'Ann', MEDIA);
    await page.locator('canvas.interactive').waitFor();
    await page.locator('.composer textarea').fill('Hello');
    await page.keyboard.press('Enter');
    await page.locator('.log:not(.waiting) .message').waitFor();
    await expectNoViolations(page, 'session');
    await expectOutlines(page);
    expect(await moving(page)).toEqual([]);
    // The pen is selected at the start.
    const background = (tool: string): Promise<string> =>
      page.locator(`[data-testid=toolbar-${tool}] + .ToolIcon__icon`).evaluate((icon) => getComputedStyle(icon).backgroundColor);
    expect(await background('freedraw')).not.toBe(await background('rectangle'));
    await page.context().setOffline(true);
    await page.locator('.health[data-status=offline]').waitFor();
    expect(await page.locator('.health').innerText()).toContain('Offline');
    await expectNoViolations(page, 'offline');
    expect(await moving(page)).toEqual([]);
  });

  test('the dashboard shows the focus and its states, and nothing moves', async () => {
    const stub = await StubDashboard.start();
    try {
      stub.past = somePast(4);
      stub.stand = STATES.bake!;
      const page = await (await browser.newContext({ locale: 'en-GB', ...MEDIA })).newPage();
      await page.goto(`${stub.url}#token=t`);
      await page.locator('.history tbody tr').first().waitFor();
      await expectNoViolations(page, 'dashboard');
      await expectOutlines(page);
      await until(async () => expect(await moving(page)).toEqual([]));
    } finally {
      await stub.stop();
    }
  });
});
