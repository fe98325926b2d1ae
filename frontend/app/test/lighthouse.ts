import lighthouse from 'lighthouse';
import puppeteer from 'puppeteer-core';
import { expect } from 'vitest';
import { CHROMIUM } from './page.js';

/** Fail unless Lighthouse gives its best score for accessibility to each address. */
export async function expectBestScores(...urls: string[]): Promise<void> {
  const browser = await puppeteer.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  try {
    for (const url of urls) {
      const result = await lighthouse(url, { onlyCategories: ['accessibility'], logLevel: 'error' }, undefined, await browser.newPage());
      const { audits, categories } = result!.lhr;
      const faults = Object.values(audits).filter(({ score }) => score !== null && score < 1);
      expect.soft(faults.map(({ id, title }) => `${id}: ${title}`), url).toEqual([]);
      expect.soft(categories.accessibility!.score, url).toBe(1);
    }
  } finally {
    await browser.close();
  }
}
