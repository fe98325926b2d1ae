import { existsSync } from 'node:fs';
import puppeteer, { type Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../app/test/stubbed.js';
import { deployingAt, ended, somePast } from './stands.js';
import { StubDashboard } from './stub.js';

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

/** The dashboard's main job in a second engine; what is particular to a part is tested in Chromium. */
describe.skipIf(!existsSync(FIREFOX))('the dashboard in Firefox', () => {
  let browser: Browser;
  let stub: StubDashboard;

  beforeAll(async () => {
    [browser, stub] = await Promise.all([
      puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, args: ['--width=1280', '--height=800'] }),
      StubDashboard.start(),
    ]);
  });

  afterAll(async () => {
    await browser.close();
    await stub.stop();
  });

  test('follows a deploy, acts, shows the history, and connects again', async () => {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (fault) => complaints.push(String(fault)));
    stub.past = somePast(4);
    stub.stand = deployingAt(8);
    await page.goto(`${stub.url}#token=t`);
    const text = (selector: string): Promise<string> => page.$eval(selector, (part) => part.textContent ?? '');
    await page.waitForSelector('.history tbody tr');
    await until(async () => expect(await text('.headline .state')).toContain('Deploying'));
    expect((await page.$$('.history tbody tr')).length).toBe(5);
    await page.locator('[data-action=pause]').click();
    await page.locator('dialog .primary').click();
    await until(() => expect(stub.asked).toMatchObject([['/api/actions/pause', {}]]));
    stub.cut();
    await until(async () => expect(await text('.news')).toContain('live'));
    stub.show(ended('rolled_back', 6));
    await until(async () => expect(await text('.headline .state')).toContain('rolled back'));
    expect(complaints).toEqual([]);
  });
});
