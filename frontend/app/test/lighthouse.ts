import { snapshot } from 'lighthouse';
import puppeteer from 'puppeteer-core';
import { expect } from 'vitest';
import { CHROMIUM } from './page.js';

/** A page, and what it shows when it is complete. */
export type Shown = readonly [url: string, selector: string];

/** Fail unless Lighthouse gives its best score for accessibility to each page, once it is complete. */
export async function expectBestScores(...pages: Shown[]): Promise<void> {
  const browser = await puppeteer.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  try {
    for (const [url, selector] of pages) {
      const page = await browser.newPage();
      await page.goto(url);
      await page.waitForSelector(selector, { visible: true });
      // Not a navigation: Lighthouse would wait for a network without traffic, and the session has a WebSocket.
      const result = await snapshot(page, { flags: { onlyCategories: ['accessibility'], logLevel: 'error' } });
      const { audits, categories } = result!.lhr;
      const faults = Object.values(audits).filter(({ score }) => score !== null && score < 1);
      expect.soft(faults.map(({ id, title }) => `${id}: ${title}`), url).toEqual([]);
      expect.soft(categories.accessibility!.score, url).toBe(1);
      await page.close();
    }
  } finally {
    await browser.close();
  }
}
