import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { expectNoViolations } from '../../app/test/axe.js';
import { hasChromium, launch } from '../../app/test/page.js';
import { somePast, STATES } from './stands.js';
import { StubDashboard } from './stub.js';

describe.skipIf(!hasChromium)('axe finds no violation on the dashboard', { timeout: 120_000 }, () => {
  let browser: Browser;
  let stub: StubDashboard;

  beforeAll(async () => {
    [browser, stub] = await Promise.all([launch(), StubDashboard.start()]);
    stub.past = somePast(4);
    stub.permissions = { acts: true, deploys: true };
  });

  afterAll(async () => {
    await browser.close();
    await stub.stop();
  });

  const open = async (locale: string, colorScheme: 'light' | 'dark'): Promise<Page> => {
    const page = await (await browser.newContext({ locale, colorScheme, reducedMotion: 'reduce' })).newPage();
    stub.stand = STATES.first!;
    await page.goto(`${stub.url}#token=t`);
    await page.locator('.history tbody tr').first().waitFor();
    return page;
  };

  for (const [locale, scheme] of [['en-GB', 'light'], ['en-GB', 'dark'], ['ko-KR', 'light'], ['ko-KR', 'dark']] as const) {
    test(`in ${locale}, ${scheme}: each state, wide and narrow, dialogs and logs`, async () => {
      const page = await open(locale, scheme);
      // The look of a state is that of its parts: one combination has them all, the others what has most of them.
      const all = locale === 'en-GB' && scheme === 'light';
      for (const [name, stand] of Object.entries(STATES).filter(([name]) => all || ['bake', 'rollingBack', 'stuck'].includes(name))) {
        stub.show({ ...stand, at: stand.at + Math.random() });
        await page.evaluate(() => new Promise((done) => setTimeout(done, 60)));
        await expectNoViolations(page, name);
      }
      await page.setViewportSize({ width: 320, height: 800 });
      await expectNoViolations(page, 'narrow');
      for (const details of await page.locator('details:not([open]) > summary').all()) if (await details.isVisible()) await details.click();
      await expectNoViolations(page, 'with logs');
    });
  }
});
