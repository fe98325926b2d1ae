import { mkdir } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasChromium, launch } from '../../app/test/page.js';
import type { Stand } from '../src/model.js';
import { somePast, STATES } from './stands.js';
import { StubDashboard } from './stub.js';

/** Where to save a picture of each state; not saved if unset. */
const pictures = process.env.ISSHONI_LOOK_DIR;
const WIDTHS = [320, 900, 1280];

describe.skipIf(!hasChromium)('how the dashboard looks', () => {
  let browser: Browser;
  let stub: StubDashboard;

  beforeAll(async () => {
    [browser, stub] = await Promise.all([launch(), StubDashboard.start()]);
    stub.past = somePast(pictures === undefined ? 30 : 4);
    if (pictures !== undefined) await mkdir(pictures, { recursive: true });
  });

  afterAll(async () => {
    await browser.close();
    await stub.stop();
  });

  for (const [language, scheme] of [['en', 'light'], ['ko', 'dark']] as const) {
    test(`in ${language} and ${scheme} nothing overflows and no word is split, in every state and width`, { timeout: 120_000 }, async () => {
      const locale = language === 'ko' ? 'ko-KR' : 'en-GB';
      const context = await browser.newContext({ locale, colorScheme: scheme, reducedMotion: 'reduce' });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('console', (entry) => void (entry.type() === 'error' && complaints.push(entry.text())));
      page.on('pageerror', (fault) => complaints.push(String(fault)));
      stub.stand = STATES.first!;
      await page.goto(`${stub.url}#token=t`);
      await page.locator('.history tbody tr').first().waitFor();
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        for (const [name, stand] of Object.entries(STATES)) {
          const now = { ...stand, at: stand.at + Math.random() };
          stub.show(now);
          await waitUntilShown(page, now);
          expect(await findFaults(page), `${name} at ${width} px`).toEqual([]);
          if (pictures !== undefined) await page.screenshot({ path: `${pictures}/${name}-${width}-${language}.png`, fullPage: true });
        }
      }
      expect(complaints).toEqual([]);
      await context.close();
    });
  }
});

/** Wait until the page shows a state. */
async function waitUntilShown(page: Page, { at }: Stand): Promise<void> {
  await page.waitForFunction((shown) => document.querySelector<HTMLElement>('#app')?.dataset.at === shown, String(at));
}

/** Return what is wider than the page, and each ordinary word that is broken in two lines. */
function findFaults(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const wide = [...document.querySelectorAll('main *')].filter((element) => {
      const box = element.getBoundingClientRect();
      return box.right > document.documentElement.clientWidth + 1 && element.closest('.processes, pre, .unseen') === null;
    });
    const { scrollWidth, clientWidth } = document.documentElement;
    const faults = scrollWidth > clientWidth ? [`the page scrolls sideways: ${scrollWidth} px`] : [];
    faults.push(...wide.map((element) => `${element.tagName}.${element.className} is too wide`));
    const texts = document.createTreeWalker(document.querySelector('main')!, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
      for (const word of node.textContent!.matchAll(/\p{L}{2,14}/gu)) {
        const before = node.textContent![word.index - 1] ?? ' ';
        const after = node.textContent![word.index + word[0].length] ?? ' ';
        if (!/[\s·(),:]/.test(before) || !/[\s·(),:.]/.test(after)) continue;
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
        if (lines.size > 1) faults.push(`${word[0]} is split`);
      }
    }
    return faults;
  });
}
