import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, launch, servePage, Visitor } from './page.js';
import { until } from './stubbed.js';

/** The commit of 0.2.0: a clone may lack the tag. */
const LAST_RELEASE = '19d7d47c40c51e7a24379692dcb4ca026dae42b0';
const STATIC = 'src/isshoni/backend/static';

/** Return the folder of the last release's page; null in a clone without its commit. */
function unpack(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'isshoni-0.2.0-'));
  try {
    const archive = execFileSync('git', ['archive', LAST_RELEASE, STATIC], { cwd: join(import.meta.dirname, '../../..'), maxBuffer: 1 << 28, stdio: 'pipe' });
    execFileSync('tar', ['-x', '-C', folder], { input: archive });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
}

const folder = unpack();

/** A deploy has both pages in one session: those of the slot before, and those of the new one. */
describe.skipIf(!hasChromium || folder === null)('the page of the last release beside this one', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    if (folder !== null) rmSync(folder, { recursive: true });
  });

  test('chat and canvas go both ways, and what one does not know does not harm it', async () => {
    const present = await new StubServer(undefined, servePage()).start();
    const released = await new StubServer(present.state, servePage('', join(folder!, STATIC))).start();
    try {
      const enter = ({ port }: StubServer, name: string): Promise<Visitor> => Visitor.enter(browser, `http://127.0.0.1:${port}/s/quiet-heron`, name);
      const [ann, bo] = [await enter(released, 'Ann'), await enter(present, 'Bo')];
      const both = [ann, bo];
      await ann.say('from the old page');
      await until(async () => expect(await bo.texts()).toEqual(['from the old page']));
      await bo.say('from the new page');
      for (const visitor of both) await until(async () => expect(await visitor.texts()).toEqual(['from the old page', 'from the new page']));
      await ann.draw([[0.1, 0.1], [0.3, 0.2]]); // prettier-ignore
      await until(async () => expect(await bo.elements()).toBe(1));
      await bo.draw([[0.5, 0.4], [0.7, 0.5]]); // prettier-ignore
      for (const visitor of both) await until(async () => expect(await visitor.elements()).toBe(2));
      await bo.page.getByRole('button', { name: 'Undo' }).click();
      for (const visitor of both) await until(async () => expect(await visitor.elements()).toBe(1));
      // An embedded page is unknown to the old one: it is not shown there, and stays in the document.
      await bo.page.evaluate(() => {
        const { elements } = (globalThis as unknown as { isshoni: { elements: Map<string, unknown> } }).isshoni;
        elements.set('page', { type: 'embeddable', x: 1, y: 1, width: 90, height: 60, link: 'https://a.example/', index: 'a9' });
      });
      await until(async () => expect(await bo.elements()).toBe(2));
      await ann.draw([[0.2, 0.6], [0.4, 0.7]]); // prettier-ignore
      await until(async () => expect(await bo.elements()).toBe(3));
      expect(await ann.elements()).toBe(2);
      expect([...ann.complaints, ...bo.complaints]).toEqual([]);
    } finally {
      await released.stop();
      await present.stop();
    }
  });
});
