import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { hasChromium, launch } from '../../app/test/page.js';
import { aStand, deployingAt, ended, somePast, STATES } from './stands.js';
import { StubDashboard } from './stub.js';

describe.skipIf(!hasChromium)('the dashboard', () => {
  let browser: Browser;
  let stub: StubDashboard;
  let page: Page;

  beforeAll(async () => {
    [browser, stub] = await Promise.all([launch(), StubDashboard.start()]);
  });

  beforeEach(() => {
    stub.past = [];
    stub.asked.length = 0;
    stub.refusal = null;
    stub.events = 200;
    stub.permissions = { acts: true, deploys: false };
    stub.log = ['event=started', 'event=saved'];
  });

  afterEach(() => page.context().close());

  afterAll(async () => {
    await browser.close();
    await stub.stop();
  });

  async function open(stand: typeof stub.stand, { locale = 'en-GB', token = '#token=secret' } = {}): Promise<void> {
    stub.stand = stand;
    page = await (await browser.newContext({ locale })).newPage();
    await page.goto(stub.url + token);
    if (stand !== null && stub.events === 200) await page.locator('#app[data-state=live]').waitFor();
  }

  const headline = (): Promise<string> => page.locator('h1').innerText();
  const button = (name: string) => page.getByRole('button', { name, exact: true });

  async function confirm(name: string): Promise<void> {
    await page.locator('dialog').getByRole('button', { name }).click();
  }

  test('the headline says what is live, where and since when, whatever became of the last rollout', async () => {
    await open(aStand());
    expect(await headline()).toBe('v1.0 is live on Blue');
    expect(await page.locator('.since').innerText()).toMatch(/^since \d\d\/\d\d\/\d{4}, \d\d:\d\d · http/);
    stub.show(STATES.rolledBack!);
    await page.getByText('v1.1 was rolled back').waitFor();
    expect(await headline()).toBe('v1.0 is live on Blue');
    stub.show(deployingAt(5));
    await page.getByText('Deploying v1.1').waitFor();
    expect(await headline()).toBe('v1.0 is live on Blue');
    stub.show(ended('promoted', 12));
    await page.getByText('v1.1 is live on Green').waitFor();
  });

  test('nothing is called live that cannot be reached, and only what can be done is offered', async () => {
    await open(STATES.unreachable!);
    expect(await headline()).toBe('v1.0 on Blue cannot be reached');
    expect(await page.locator('.since').innerText()).toBe('http://127.0.0.1:8080');
    expect(await button('Roll back').isVisible()).toBe(false);
    stub.show(STATES.standby!);
    await page.getByText('v1.0 stands by on Blue').waitFor();
    stub.show(STATES.engineDied!);
    await page.getByText('No engine is working on it').waitFor();
    for (const name of ['Pause', 'Skip the bake', 'Abort']) expect(await button(name).isVisible(), name).toBe(false);
    expect(await button('Roll back').isVisible()).toBe(true);
    stub.show(deployingAt(2, {}, { engine: null }));
    await page.getByText('Step 2 of 12').waitFor();
    expect(await button('Abort').isVisible()).toBe(false);
    expect(await button('Roll back').isVisible()).toBe(true);
  });

  test('cards that have nothing to show are hidden', async () => {
    await open(aStand());
    for (const card of ['chart', 'moving', 'verdict']) expect(await page.locator(`section.${card}`).isVisible(), card).toBe(false);
    stub.show(deployingAt(2));
    await page.getByText('Step 2 of 12').waitFor();
    for (const card of ['chart', 'moving', 'verdict']) expect(await page.locator(`section.${card}`).isVisible(), card).toBe(true);
    stub.show(ended('promoted', 12));
    await page.getByText('v1.1 is live on Green').waitFor();
    expect(await page.locator('section.moving').isVisible()).toBe(true);
    expect(await page.locator('section.verdict').isVisible()).toBe(false);
  });

  test('after a failed deploy nothing is offered that would take stable away', async () => {
    for (const failed of ['rolledBack', 'aborted', 'refused'] as const) {
      await open(STATES[failed]!);
      expect(await button('Roll back').isVisible(), failed).toBe(false);
      await page.context().close();
    }
    await open(STATES.stuck!);
    await button('Roll back').click();
    await page.getByText('Return all users to v1.0?').waitFor();
    await confirm('Cancel');
    stub.show(ended('promoted', 12));
    await page.getByText('v1.1 is live on Green').waitFor();
    await button('Roll back').click();
    await page.getByText('Return all users to v1.0?').waitFor();
  });

  test('an action names the rollout that its user saw, and a refusal is said in words', async () => {
    await open(deployingAt(6), { locale: 'ko-KR' });
    stub.refusal = { status: 409, body: { detail: 'x', reasons: [{ code: 'another_began', fields: {} }] } };
    await button('롤백').click();
    await confirm('롤백');
    await page.getByText('그사이 다른 배포가 시작되었습니다').waitFor();
    const seen = { rollout: '20260926-120000-ab12', outcome: 'running' };
    expect(stub.asked).toEqual([['/api/actions/rollback', { seen }]]);
  });

  test('reasons are in the chosen language, those of old servers and unknown ones as they are', async () => {
    await open(STATES.rolledBack!, { locale: 'ko-KR' });
    await page.getByText('사용자가 있을 수 있을 때 그린이(가) 종료되었습니다 (exit code 3)').first().waitFor();
    await page.getByRole('button', { name: 'EN', exact: true }).click();
    await page.getByText('green died while clients could be on it, last exit: exit code 3').first().waitFor();
    const old = ended('rolled_back', 6, { reasons: undefined });
    const unknown = ended('rolled_back', 6, { id: 'r2', reasons: [{ code: 'other', fields: { text: 'a new sentence' } }] });
    await button('한국어').click();
    stub.show(old);
    await page.getByText('green died while clients').first().waitFor();
    stub.show(unknown);
    await page.getByText('a new sentence').first().waitFor();
  });

  test('a thousand rollouts are read a page at a time, and one of them is live', async () => {
    stub.past = somePast(1_000);
    await open(aStand());
    const rows = page.locator('.history tbody tr');
    await rows.first().waitFor();
    expect(await rows.count()).toBe(20);
    expect(await page.locator('.outcome b', { hasText: /^live$/ }).count()).toBe(1);
    for (let number = 2; number <= 50; number += 1) {
      await page.locator('[data-page=older]').click();
      await page.getByText(`Page ${number}`, { exact: true }).waitFor();
    }
    await page.getByText('v1.1', { exact: true }).waitFor();
    expect(await page.locator('[data-page=older]').isDisabled()).toBe(true);
    expect(await page.locator('.outcome b', { hasText: /^live$/ }).count()).toBe(0);
    await page.locator('[data-page=newer]').click();
    await page.getByText('Page 49', { exact: true }).waitFor();
  });

  test('any earlier version can be gone to from the history, not the live one, and not during a rollout', async () => {
    stub.past = [{ ...somePast(7)[0]!, release: 'v1.0', content: null }, ...somePast(7).slice(1)];
    await open(ended('rolled_back', 6));
    const go = page.locator('[data-return]');
    await go.first().waitFor();
    expect(await go.count()).toBe(3);
    await page.getByRole('button', { name: 'Go to this version: v1.5', exact: true }).click();
    await page.getByText('Deploy v1.5 again, to all users at once?').waitFor();
    await confirm('Go to this version');
    await page.getByText('Requested.').waitFor();
    const seen = { rollout: '20260926-120000-ab12', outcome: 'rolled_back' };
    expect(stub.asked).toEqual([['/api/returns', { rollout: 'r4', seen }]]);
    stub.show(deployingAt(5));
    await vi.waitFor(async () => expect(await go.count()).toBe(0), { timeout: 20_000 });
  });

  test('the first release can be gone to from the end of the history, although no rollout brought it', async () => {
    stub.past = somePast(1);
    await open(ended('rolled_back', 6));
    await page.getByText('the first release').waitFor();
    const first = page.locator('tr.first');
    expect(await first.locator('[data-return]').count()).toBe(0);
    stub.past = [{ ...somePast(1)[0]!, previous_release: 'v0.9' }];
    await page.reload();
    await first.getByRole('button', { name: 'Go to this version: v0.9' }).click();
    await confirm('Go to this version');
    await page.getByText('Requested.').waitFor();
    expect(stub.asked).toMatchObject([['/api/returns', { rollout: 'r0', previous: true }]]);
  });

  test('a rollout of the history shows who asked for what', async () => {
    stub.past = somePast(2);
    await open(aStand());
    await page.getByRole('button', { name: 'details: v1.1' }).click();
    const dialog = page.locator('dialog');
    await dialog.getByText('deploy of v1.1 asked by ann (dashboard, from 127.0.0.1)').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'detached' });
  });

  test('a deploy shows first what it would do, and is planned again for another version', async () => {
    stub.permissions = { acts: true, deploys: true };
    await open(aStand());
    await button('Deploy …').click();
    const field = page.getByLabel('version', { exact: true });
    await field.fill('git:other');
    await button('Show what would be done').click();
    await page.getByText('main (commit 0123456789ab) goes to Green, beside v1.0.').waitFor();
    await page.getByText('Careful: the live release runs something else: node server.js {port}').waitFor();
    await field.fill('git:main');
    expect(await button('Deploy now').isVisible()).toBe(false);
    await button('Show what would be done').click();
    await button('Deploy now').click();
    await page.getByText('Requested.').waitFor();
    const seen = { rollout: null, outcome: null };
    expect(stub.asked.map(([, body]) => body)).toEqual([
      { version: 'git:other', dry_run: true },
      { version: 'git:main', dry_run: true },
      { version: 'git:main', dry_run: false, seen },
    ]);
  });

  test('a deploy is offered only where the operator allows it, and not beside a rollout', async () => {
    await open(aStand());
    expect(await button('Deploy …').isVisible()).toBe(false);
    await page.context().close();
    stub.permissions = { acts: true, deploys: true };
    await open(deployingAt(5));
    await button('Pause').waitFor();
    expect(await button('Deploy …').isVisible()).toBe(false);
  });

  test('without a valid token the buttons are off, and the page says why', async () => {
    stub.permissions = { acts: false, deploys: false };
    await open(deployingAt(5), { token: '' });
    await page.getByText('To use these buttons').waitFor();
    expect(await button('Pause').isDisabled()).toBe(true);
    await page.context().close();
    await open(deployingAt(5));
    await page.getByText('The token of this tab is not valid').waitFor();
    expect(await button('Pause').isDisabled()).toBe(true);
    await page.context().close();
    stub.events = 401;
    await open(aStand(), { locale: 'ko-KR', token: '' });
    await page.getByText('연결할 수 없습니다: 토큰이 없거나 틀립니다').waitFor();
  });

  test('while the server is gone the page says of when it is, and nothing can be asked', async () => {
    await open(deployingAt(5));
    await page.locator('[data-action=pause]:enabled').waitFor();
    stub.events = 503;
    stub.cut();
    await page.getByText(/^No connection since .*: this page shows the state at that time/).waitFor();
    expect(await button('Pause').isDisabled()).toBe(true);
    stub.events = 200;
    await page.locator('[data-action=pause]:enabled').waitFor();
    await page.getByText('live', { exact: true }).first().waitFor();
  });

  test('every log can be read and searched, and what was typed is sent as text', async () => {
    stub.log = ['said this', 'said that', 'a&b=c'];
    await open(aStand());
    await page.locator('.logs summary').click();
    await page.getByText('blue said this').waitFor();
    const program = page.getByLabel('Program');
    expect(await program.locator('option').allInnerTexts()).toEqual(['Blue', 'Green', 'green-worker', 'Relay', 'Load balancer', 'Deploys from here']);
    await program.selectOption('green-worker');
    await page.getByText('green-worker said this').waitFor();
    await page.getByLabel('Search').fill('a&b=c');
    await vi.waitFor(async () => expect(await page.locator('pre').innerText()).toBe('green-worker a&b=c'), { timeout: 20_000 });
    await page.getByLabel('Search').fill('nothing of it');
    await page.getByText('(no line with this text)').waitFor();
  });

  test('each process of a slot has a row of its own', async () => {
    await open(STATES.processes!);
    const rows = page.getByRole('table', { name: 'Processes of Blue' }).locator('tbody tr');
    expect(await rows.count()).toBe(4);
    expect(await rows.nth(2).innerText()).toMatch(/blue-3\s+Redis: no answer in 2 s\s+321\s+32\s+37 %\s+2/);
    expect(await rows.nth(3).innerText()).toContain('evacuated');
    expect(await page.getByRole('table', { name: 'Processes of Green' }).count()).toBe(0);
  });

  test('a command that ended before its rollout began is explained', async () => {
    await open(STATES.failedStart!);
    await page.getByText("`isshoni deploy` ended with exit code 2: there is no commit 'git:mian' in this repository").waitFor();
  });
});
