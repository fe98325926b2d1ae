import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

describe.skipIf(!hasChromium)('a large change on the page', { timeout: 90_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  test('3,000 elements at once reach the others, and what follows them too', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const elements = Array.from({ length: 3000 }, (_, n) => ({
      id: `element-${n}`, type: 'rectangle', x: (n % 60) * 20, y: Math.floor(n / 60) * 20, width: 12, height: 9,
    })); // prettier-ignore
    const file = JSON.stringify({ type: 'excalidraw', version: 2, source: 'test', elements, appState: {}, files: {} });
    await ann.drop('large.excalidraw', 'application/json', Buffer.from(file).toString('base64'));
    await ann.page.getByRole('button', { name: 'Add to the canvas' }).click();
    await until(() => expect(server.state.doc.getMap('elements').size).toBe(3000));
    await ann.say('hello');
    const isSaved = (): Promise<unknown> =>
      ann.page.evaluate(() => (globalThis as unknown as { isshoni: { unsaved: unknown } }).isshoni.unsaved);
    await until(async () => expect(await isSaved()).toEqual({ messages: 0, canvas: false }));
    expect(server.connections).toHaveLength(1);
    const bo = await Visitor.enter(browser, url, 'Bo');
    await until(async () => expect(Object.keys(await bo.document())).toHaveLength(3000));
    expect(await bo.texts()).toEqual(['hello']);
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('a value that is too large to share is taken off again, in words, and the rest goes on', async () => {
    const ann = await Visitor.enter(browser, url, '보람', { locale: 'ko-KR' });
    await ann.page.evaluate(() => {
      const { isshoni } = globalThis as unknown as { isshoni: { elements: Map<string, unknown> } };
      isshoni.elements.set('huge', { type: 'text', text: 'x'.repeat(2 << 20) });
    });
    const notice = ann.page.locator('.toast');
    await until(async () => expect(await notice.textContent()).toContain('너무 커서(2.0 MB, 최대 1.0 MB)'));
    await ann.say('이어서');
    await until(async () => expect(await ann.texts()).toEqual(['이어서']));
    expect(await ann.document()).toEqual({});
    expect(server.connections).toHaveLength(1);
  });
});
