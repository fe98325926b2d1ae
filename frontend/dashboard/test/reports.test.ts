import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectNoViolations } from '../../app/test/axe.js';
import { expectBestScores } from '../../app/test/lighthouse.js';
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

  test('Lighthouse gives 100 for accessibility to a report', async () => {
    const html = await readFile(join(directory!, 'rolled-back.html'));
    const server = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html));
    await new Promise<void>((listens) => server.listen(0, '127.0.0.1', listens));
    try {
      await expectBestScores([`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, 'h1']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
