import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { MOST_SHAPES, readShapes, shareShapes } from '../src/models/shared-library.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

const box = (id: string, more: object = {}): Record<string, unknown> => ({ id, type: 'rectangle', x: 0, y: 0, width: 60, height: 40, ...more });

function newLibrary(entries: Record<string, unknown> = {}): Y.Map<unknown> {
  const library = new Y.Doc().getMap('library');
  for (const [id, value] of Object.entries(entries)) library.set(id, value);
  return library;
}

describe('the shapes of a session', () => {
  test('what one shares, another reads, without images, and once', () => {
    const library = newLibrary();
    const shapes = [{ id: 'a', name: 'Box', created: 7, elements: [box('1'), box('2', { type: 'image', fileId: 'f' })] }];
    expect([shareShapes(library, shapes), shareShapes(library, shapes)]).toEqual([1, 1]);
    expect(readShapes(library)).toMatchObject([{ id: 'a', name: 'Box', created: 7, elements: [{ id: '1', type: 'rectangle', strokeWidth: 2 }] }]);
  });

  test('whatever a client writes there, a reader gets sound shapes or none', () => {
    const rubbish = { no: 1, list: [], none: null, empty: { elements: [] }, many: { elements: Array.from({ length: 201 }, (_, at) => box(`${at}`)) } };
    const odd = { odd: { name: 5, created: 'now', elements: [null, 3, { id: 5 }, box('ok', { strokeColor: 'url(x)', link: 'javascript:1' }), box('gone', { isDeleted: true })] } };
    const large = { large: { elements: [box('t', { type: 'text', text: 'x'.repeat(100_000) })] } };
    expect(readShapes(newLibrary({ ...rubbish, ...odd, ...large }))).toMatchObject([
      { id: 'odd', created: 0, elements: [{ id: 'ok', strokeColor: '#1e1e1e', link: null }] },
    ]);
  });

  test('there are at most a hundred', () => {
    const library = newLibrary();
    const many = Array.from({ length: MOST_SHAPES + 5 }, (_, at) => ({ id: `s${at}`, created: 1, elements: [box('1')] }));
    expect(shareShapes(library, many)).toBe(MOST_SHAPES);
    for (let at = 0; at < 9; at += 1) library.set(`x${at}`, { created: 1, elements: [box('1')] });
    expect(readShapes(library)).toHaveLength(MOST_SHAPES);
  });
});

describe.skipIf(!hasChromium)('collections of shapes in the page', { timeout: 60_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  const FILE = Buffer.from(
    JSON.stringify({
      type: 'excalidrawlib',
      version: 2,
      source: 'test',
      libraryItems: [{ id: 'box', status: 'published', created: 1, elements: [{ ...box('b'), version: 1, versionNonce: 1, isDeleted: false, groupIds: [] }] }],
    }),
  ).toString('base64');

  const choose = async ({ page }: Visitor, entry: string): Promise<void> => {
    await page.getByTestId('main-menu-trigger').click();
    await page.getByText(entry).click();
  };
  const shapes = ({ page }: Visitor): Promise<number> => page.locator('.library-unit:not(.library-unit__empty) svg').count();

  test('a collection is kept by the browser, shared with the session, and used by others', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.drop('shapes.excalidrawlib', 'application/vnd.excalidrawlib+json', FILE);
    await until(async () => expect(await shapes(ann)).toBe(1));
    await ann.page.reload();
    await ann.page.locator('.health[data-status=restored]').waitFor();
    await ann.page.locator('.sidebar-trigger').first().click();
    await until(async () => expect(await shapes(ann)).toBe(1));
    expect(await ann.page.locator('.library-menu-browse-button:visible').count()).toBe(0);
    await choose(ann, 'Share my shapes with this session');
    await ann.page.getByText('Shapes shared with this session: 1.').waitFor();
    server.state.doc.getMap('library').set('rubbish', 'rubbish');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await choose(bo, 'Take the shapes of this session');
    await until(async () => expect(await shapes(bo)).toBe(1));
    await bo.page.locator('.library-unit__dragger').first().click();
    await until(() => expect(server.state.doc.getMap('elements').size).toBe(1));
    await until(async () => expect(await ann.elements()).toBe(1));
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });
});
