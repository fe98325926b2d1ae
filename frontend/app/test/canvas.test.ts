import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, PICTURE, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

const DOT = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="4"/></svg>').toString('base64');

describe.skipIf(!hasChromium)('the canvas', { timeout: 60_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  /** Wait until the server has `count` elements, and return their sizes. */
  const storedSizes = (count: number): Promise<string[]> =>
    until(() => {
      const elements = [...server.state.doc.getMap<Y.Map<unknown>>('elements').values()];
      expect(elements).toHaveLength(count);
      return elements.map((element) => `${Number(element.get('width'))}×${Number(element.get('height'))}`);
    });

  test('every image of one drop, and of one paste, is inserted and shared', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    await ann.drop('one.png', 'image/png', PICTURE, PICTURE);
    await until(async () => expect(await ann.elements()).toBe(2));
    await until(async () => expect(await bo.elements()).toBe(2));
    await ann.paste('image/png', PICTURE, PICTURE, PICTURE);
    await until(async () => expect(await ann.elements()).toBe(5));
    const places = (await ann.scene()).map((element) => (element as { x: number }).x);
    expect(new Set(places).size).toBeGreaterThanOrEqual(3);
    expect(ann.complaints).toEqual([]);
  });

  test('the first shape on a new canvas is as it was drawn, in both of two tabs', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    const strokes = await Promise.all([ann, bo].map((person) => person.beginRectangle()));
    for (const grow of strokes) await grow(0.3);
    // Each sees the other's first shape while their own is in the hand.
    for (const person of [ann, bo]) await until(async () => expect(await person.elements()).toBe(2));
    for (const grow of strokes) await grow(1);
    await Promise.all([ann, bo].map(({ page }) => page.mouse.up()));
    await until(async () => expect(await storedSizes(2)).toEqual(['150×50', '150×50']));
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('a shape begun before the canvas arrives is as it was drawn', async () => {
    const far = { type: 'rectangle', x: 5000, y: 4000, width: 10, height: 20 };
    server.state.doc.getMap('elements').set('far', new Y.Map(Object.entries(far)));
    server.holdsCanvas = true;
    const ann = await Visitor.enter(browser, url, 'Ann');
    const grow = await ann.beginRectangle();
    await grow(0.3);
    await until(async () => expect(await ann.elements()).toBe(1));
    server.releaseCanvas();
    await until(async () => expect(await ann.elements()).toBe(2));
    await grow(1);
    await ann.page.mouse.up();
    await until(async () => expect(await storedSizes(2)).toEqual(['10×20', '150×50']));
  });

  test('what is on the canvas already is scrolled into sight', async () => {
    const far = { type: 'rectangle', x: 5000, y: 4000, width: 100, height: 80 };
    server.state.doc.getMap('elements').set('far', new Y.Map(Object.entries(far)));
    const ann = await Visitor.enter(browser, url, 'Ann');
    await until(async () => expect(await ann.elements()).toBe(1));
    await ann.take('v');
    await ann.page.keyboard.press('Control+a');
    await ann.page.keyboard.press('ArrowRight');
    await until(() => expect(server.state.doc.getMap<Y.Map<unknown>>('elements').get('far')!.get('x')).toBe(5001));
    expect(await ann.page.getByText('Scroll back to content').count()).toBe(0);
  });

  test('one undo takes back one change: a stroke, each picture dropped, a held key', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.draw([[0.1, 0.1], [0.3, 0.3]]);
    await ann.drop('one.png', 'image/png', PICTURE);
    await until(() => expect(server.state.doc.getMap('elements').size).toBe(2));
    await ann.drop('two.svg', 'image/svg+xml', DOT);
    await until(() => expect(server.state.doc.getMap('elements').size).toBe(3));
    await ann.take('v');
    await ann.page.keyboard.press('Control+a');
    const before = await ann.document();
    for (let repeat = 0; repeat < 3; repeat += 1) {
      await ann.page.keyboard.down('ArrowRight');
      await ann.page.waitForTimeout(100);
    }
    await ann.page.keyboard.up('ArrowRight');
    await until(async () => expect(await ann.document()).not.toEqual(before));
    await ann.page.keyboard.press('Control+z');
    await until(async () => expect(await ann.document()).toEqual(before));
    for (const left of [2, 1, 0]) {
      await ann.page.keyboard.press('Control+z');
      await until(async () => expect(await ann.elements()).toBe(left));
    }
    await ann.page.keyboard.press('Control+Shift+z');
    await until(async () => expect(await ann.elements()).toBe(1));
    expect(ann.complaints).toEqual([]);
  });

  test('a shape is there again once both undid: one the drawing and redid it, one the deletion', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    const both = (count: number): Promise<void> =>
      until(async () => expect([await ann.elements(), await bo.elements()]).toEqual([count, count]));
    await ann.draw([[0.1, 0.1], [0.3, 0.3]]);
    await both(1);
    for (const [person, keys, count] of [[bo, ['v', 'Control+a', 'Delete'], 0], [ann, ['Control+z'], 0], [bo, ['Control+z'], 0], [ann, ['Control+Shift+z'], 1]] as const) {
      await person.page.locator('.excalidraw').first().focus();
      for (const key of keys) await person.page.keyboard.press(key);
      await both(count);
    }
  });

  /** Make a file of a rectangle, a picture and an embedded page, on paper of another colour. */
  function drawingFile(): string {
    const common = { x: 50, y: 60, width: 40, height: 30, version: 3, versionNonce: 4, isDeleted: false, groupIds: [], index: 'a0' };
    const fileId = 'f'.repeat(40);
    const elements = [
      { ...common, id: 'from-file', type: 'rectangle' },
      { ...common, id: 'picture', type: 'image', fileId, status: 'saved', index: 'a1', scale: [1, 1] },
      { ...common, id: 'page', type: 'embeddable', link: 'https://a.example/', index: 'a2' },
    ];
    const files = { [fileId]: { id: fileId, mimeType: 'image/png', dataURL: `data:image/png;base64,${PICTURE}`, created: 1 } };
    const drawing = { type: 'excalidraw', version: 2, source: 'test', elements, appState: { viewBackgroundColor: '#000000' }, files };
    return Buffer.from(JSON.stringify(drawing)).toString('base64');
  }

  test('a file that one drops is added to what all see, at once, with its pictures', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    const same = (count: number): Promise<void> =>
      until(async () => {
        const [one, other] = await Promise.all([ann.scene(), bo.scene()]);
        expect([one, other].map((scene) => scene.length)).toEqual([count, count]);
        expect(other).toEqual(one);
      });
    for (const y of [0.1, 0.3, 0.5]) await ann.draw([[0.1, y], [0.3, y]]);
    await ann.drop('dot.svg', 'image/svg+xml', DOT);
    await same(4);
    await bo.drop('drawing.excalidraw', 'application/vnd.excalidraw+json', drawingFile());
    await bo.page.getByRole('button', { name: 'Add to the canvas' }).click();
    await same(7);
    for (const person of [ann, bo]) {
      const file = JSON.parse(await until(() => person.save('as a file'))) as { files: object; appState: object };
      expect(Object.keys(file.files)).toHaveLength(2);
      expect(file.appState).toMatchObject({ viewBackgroundColor: '#fdfaf3' });
    }
    await bo.take('v');
    await bo.page.keyboard.press('Control+z');
    if ((await bo.elements()) > 4) await bo.page.keyboard.press('Control+z');
    await same(4);
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('a file that is opened can replace the canvas for all, or change nothing, and undo brings it back', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    const both = (count: number): Promise<void> =>
      until(async () => expect([await ann.elements(), await bo.elements()]).toEqual([count, count]));
    await ann.draw([[0.1, 0.1], [0.3, 0.1]]);
    await both(1);
    const open = async (...names: [string, string, string][]): Promise<void> => {
      await ann.page.getByTestId('main-menu-trigger').click();
      const chosen = ann.page.waitForEvent('filechooser');
      await ann.page.getByText('Open a file…').click();
      const files = names.map(([name, mimeType, base64]) => ({ name, mimeType, buffer: Buffer.from(base64, 'base64') }));
      await (await chosen).setFiles(files);
    };
    await open(['a.excalidraw', '', drawingFile()]);
    await ann.page.getByRole('heading', { name: 'Open a.excalidraw' }).waitFor();
    await ann.page.getByRole('button', { name: 'Cancel' }).click();
    await both(1);
    await open(['a.excalidraw', '', drawingFile()]);
    await ann.page.getByRole('button', { name: 'Replace the canvas for all' }).click();
    await both(3);
    await ann.page.getByRole('button', { name: 'Undo' }).click();
    await both(1);
    const shown = Object.values(await bo.document()).filter((element) => !element.isDeleted && element.type !== undefined);
    expect(shown).toMatchObject([{ type: 'freedraw' }]);
    await open(['notes.json', 'application/json', Buffer.from('{}').toString('base64')]);
    await ann.page.getByText('notes.json cannot be opened').waitFor();
    await open(['one.png', 'image/png', PICTURE], ['two.png', 'image/png', PICTURE]);
    await both(3);
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('the canvas says that a change is not saved yet, until it is', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const label = ann.page.locator('.board').getByText('not saved yet');
    server.savesCanvas = false;
    await ann.draw([[0.1, 0.1], [0.3, 0.1]]);
    await label.waitFor();
    server.savesCanvas = true;
    await ann.draw([[0.1, 0.3], [0.3, 0.3]]);
    await until(async () => expect(await label.count()).toBe(0));
  });

  test('the menus offer nothing that this page cannot do', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.page.locator('.App-toolbar__extra-tools-trigger').click();
    await ann.page.getByTestId('toolbar-frame').waitFor();
    expect((await ann.page.locator('.App-toolbar__extra-tools-dropdown').innerText()).replace(/\s+/g, ' ').trim()).toBe('Frame tool F Laser pointer K Mermaid to Excalidraw');
  });

  test('a canvas that one resets is empty for all, on the same paper, and can be brought back', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    const both = (count: number): Promise<void> =>
      until(async () => expect([await ann.elements(), await bo.elements()]).toEqual([count, count]));
    await ann.draw([[0.1, 0.1], [0.3, 0.1]]);
    await bo.draw([[0.1, 0.3], [0.3, 0.3]]);
    await both(2);
    await ann.page.getByTestId('main-menu-trigger').click();
    await ann.page.getByText('Reset the canvas for all…').click();
    await ann.page.getByText('Everything on it is removed, for everyone in this session.').waitFor();
    await ann.page.getByRole('button', { name: 'Reset', exact: true }).click();
    await both(0);
    const file = await ann.save('as a file');
    expect(JSON.parse(file)).toMatchObject({ appState: { viewBackgroundColor: '#fdfaf3' } });
    await ann.page.getByRole('button', { name: 'Undo' }).click();
    await both(2);
  });
});
