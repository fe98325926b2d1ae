import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectNoViolations } from '../../app/test/axe.js';
import { launch } from '../../app/test/page.js';

/** A directory with a report of each kind and outcome, that pytest has rendered. */
const directory = process.env.ISSHONI_TEST_REPORTS;

const REPORTS = ['verify-met', 'verify-broken', 'promoted', 'rolled-back'];

describe.skipIf(directory === undefined)('a report', { timeout: 60_000 }, () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launch();
  });

  afterAll(() => browser.close());

  const looks = REPORTS.flatMap((name) => (['light', 'dark'] as const).map((theme) => ({ name, theme })));
  test.each(looks)('$name in the $theme theme has no violation, and fits 320 px', async ({ name, theme }) => {
    const page = await (await browser.newContext({ colorScheme: theme })).newPage();
    await page.goto(pathToFileURL(join(directory!, `${name}.html`)).href);
    await expectNoViolations(page, name);
    await page.setViewportSize({ width: 320, height: 640 });
    await expectNoViolations(page, `${name}, 320 px`);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  });
});
