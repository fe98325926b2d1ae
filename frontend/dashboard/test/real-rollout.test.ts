import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launch } from '../../app/test/page.js';

/** Where a real dashboard is, with a rollout under way that takes its time in the canary. */
const url = process.env.ISSHONI_TEST_DASHBOARD;

describe.skipIf(url === undefined)('the dashboard during a real rollout', { timeout: 50_000 }, () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launch();
    page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    page.on('console', (entry) => void (entry.type() === 'error' && complaints.push(entry.text())));
    page.on('pageerror', (fault) => complaints.push(String(fault)));
  });

  afterAll(() => browser.close());

  test('it shows the canary live, pauses, and rolls back by its buttons', async () => {
    await page.goto(url!);
    await page.locator('.news[data-state=live]').waitFor();
    expect(page.url()).not.toContain('token');
    await page.getByText('Deploying v1.1').waitFor();
    await page.locator('.green .weight').getByText(/^[1-9]\d* % of new connections/).waitFor();
    expect(await page.locator('.timeline .step').count()).toBe(12);
    // Only probes are connected, and they are no clients.
    await page.locator('.blue .count strong').getByText(/^0$/).waitFor();
    expect(await page.locator('h1').innerText()).toBe('v1.0 is live on Blue');

    await act('pause', 'Pause');
    await page.getByText('v1.1 is paused').waitFor();
    await act('rollback', 'Roll back');
    await page.locator('.way-back .home').first().waitFor();
    await page.getByText('v1.1 was rolled back').waitFor();
    await page.locator('.history tr.rolled_back').waitFor();

    const report = await openReport();
    await button('Roll back').waitFor({ state: 'hidden' });
    expect(await report.locator('h1').innerText()).toBe('v1.1 was rolled back.');
    expect(await report.locator('.log').innerText()).toContain('event=');
    await page.locator('summary').click();
    await page.locator('pre').getByText('event=').waitFor();
    await page.getByRole('button', { name: /^details: v1.1/ }).click();
    await page.getByText(/^pause asked by|^asked by .* \(dashboard, from 127.0.0.1\)$/).first().waitFor();
    expect(complaints).toEqual([]);
  });

  const button = (name: string) => page.getByRole('button', { name, exact: true });

  async function act(action: string, yes: string): Promise<void> {
    await page.locator(`[data-action=${action}]`).click();
    await page.locator('dialog').getByRole('button', { name: yes }).click();
    await page.getByText('Requested.').waitFor();
  }

  async function openReport(): Promise<Page> {
    const link = page.getByRole('link', { name: 'report' });
    await link.waitFor();
    const [opened] = await Promise.all([page.context().waitForEvent('page'), link.click()]);
    await opened.waitForLoadState();
    return opened;
  }
});
