/** Run by tests/e2e/test_page.py, which starts the backends and says where they are. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Balancer, type Backend } from './balancer.js';
import { launch, Visitor } from './page.js';

interface Pair {
  token: string;
  blue: Backend;
  green: Backend;
}

const MOVES = ['green', 'blue', 'green'] as const;

const until = <T>(assertion: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(assertion, { timeout: 10_000, interval: 50 });

describe.skipIf(process.env.ISSHONI_TEST_PAIR === undefined)('real backends', { timeout: 90_000 }, () => {
  let pair: Pair;
  let browser: Browser;
  let balancer: Balancer;

  beforeAll(async () => {
    pair = JSON.parse(process.env.ISSHONI_TEST_PAIR!) as Pair;
    browser = await launch();
    balancer = await new Balancer({ blue: pair.blue, green: pair.green }, 'blue').start();
  });

  afterAll(async () => {
    await browser.close();
    balancer.stop();
  });

  const order = (colour: 'blue' | 'green', path: string, body?: object): Promise<Response> =>
    fetch(`http://127.0.0.1:${pair[colour].admin_port}/admin/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${pair.token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });

  /** As the engine does it: who takes people in must not be sending them away any more. */
  async function migrate(from: 'blue' | 'green', to: 'blue' | 'green'): Promise<void> {
    expect((await order(to, 'migrate/cancel')).status).toBe(200);
    balancer.stable = to;
    const within = { to, rate_per_second: 100, within_seconds: 10 };
    expect((await order(from, 'migrate', within)).status).toBe(202);
  }

  test('two people draw and talk through moves and nothing is lost', async () => {
    const url = `${balancer.url}/s/quiet-heron`;
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, '보람', { locale: 'ko-KR' });
    const said: string[] = [];
    let serving: 'blue' | 'green' = 'blue';
    for (const [turn, to] of MOVES.entries()) {
      const moved = migrate(serving, to);
      for (let step = 0; step < 3; step += 1) {
        const text = `${turn}.${step} 함께`;
        said.push(text);
        await ann.say(text);
        const y = 0.1 + 0.25 * turn + 0.06 * step;
        await bo.draw([[0.1, y], [0.5, y + 0.02], [0.9, y]]);
      }
      await moved;
      for (const { page } of [ann, bo]) await page.locator(`.health[data-colour=${to}]`).waitFor();
      await ann.page.getByText(/moved to v1\.[01], 0 ms/).waitFor();
      serving = to;
    }
    await until(async () => expect(await ann.texts()).toEqual(said));
    await until(async () => expect(await bo.texts()).toEqual(said));
    await until(async () => expect(await ann.elements()).toBe(9));
    const present = ann.page.locator('.people li');
    await until(async () => expect(await present.count()).toBe(2));
    const late = await Visitor.enter(browser, url, 'Late');
    await until(async () => expect(await late.texts()).toEqual(said));
    await until(async () => expect(await late.elements()).toBe(9));
    await until(async () => expect(await ann.page.locator('.unsaved').count()).toBe(0));
    expect([...ann.complaints, ...bo.complaints, ...late.complaints]).toEqual([]);
  });
});
