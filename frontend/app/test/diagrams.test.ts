import type { Browser } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { expectNoViolations } from './axe.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

const DIAGRAMS = [
  'sequenceDiagram\n Ann->>Bo: Hello',
  'classDiagram\n Animal <|-- Duck',
  'erDiagram\n USER ||--o{ MESSAGE : writes',
  'stateDiagram-v2\n [*] --> Open',
  'pie title Pets\n "Dogs" : 3\n "Cats" : 2',
];

async function openDialog({ page }: Visitor): Promise<void> {
  await page.locator('.App-toolbar__extra-tools-trigger').click();
  await page.getByTestId('toolbar-mermaid').click();
  // It begins with an example, or with the last text.
  await page.locator('.ttd-dialog-output-canvas-container canvas').waitFor();
}

/** Insert what a text describes, by the dialog. */
async function insertDiagram(visitor: Visitor, text: string): Promise<void> {
  const { page } = visitor;
  await openDialog(visitor);
  const preview = page.locator('.ttd-dialog-output-canvas-container canvas');
  await page.locator('.ttd-dialog-input').fill('');
  await preview.waitFor({ state: 'detached' });
  await page.locator('.ttd-dialog-input').fill(text);
  await preview.waitFor();
  await page.getByRole('button', { name: 'Insert', exact: true }).click();
  await until(async () => expect(await page.locator('.ttd-dialog').count()).toBe(0));
}

async function pasteText({ page }: Visitor, text: string): Promise<void> {
  await page.locator('canvas.interactive').hover();
  await page.locator('.excalidraw').first().focus();
  await page.evaluate((pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  }, text);
}

const typesOf = async (visitor: Visitor): Promise<string[]> => (await visitor.scene()).map((element) => (element as { type: string }).type).sort();

describe.skipIf(!hasChromium)('a diagram from Mermaid text', { timeout: 60_000 }, () => {
  let browser: Browser;
  let url: string;
  eachWithStub((stubbed) => ({ browser, url } = stubbed));

  test('is inserted as elements that all see, and its code is loaded only then', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    const loaded: string[] = [];
    ann.page.on('request', (request) => loaded.push(request.url()));
    await ann.draw([[0.1, 0.1], [0.3, 0.1]]);
    expect(loaded).toEqual([]);
    await insertDiagram(ann, 'graph TD; A-->B');
    expect(loaded.length).toBeGreaterThan(0);
    for (const person of [ann, bo]) {
      await until(async () => expect(await typesOf(person)).toEqual(['arrow', 'freedraw', 'rectangle', 'rectangle', 'text', 'text']));
    }
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('is shapes for five kinds of diagram, and an image for others', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    const bo = await Visitor.enter(browser, url, 'Bo');
    let before = 0;
    for (const text of DIAGRAMS) {
      await insertDiagram(ann, text);
      await until(async () => expect(await ann.elements()).toBeGreaterThan(before));
      await until(async () => expect(await bo.elements()).toBe(await ann.elements()));
      before = await ann.elements();
      const images = (await typesOf(bo)).filter((type) => type === 'image');
      expect(images, text).toHaveLength(text.startsWith('pie') ? 1 : 0);
    }
    expect(await ann.save('as PNG')).toContain('PNG');
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('is told from other text in a paste', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await pasteText(ann, 'graph TD; A-->B');
    await until(async () => expect(await typesOf(ann)).toEqual(['arrow', 'rectangle', 'rectangle', 'text', 'text']));
    expect(ann.complaints).toEqual([]);
  });

  test.each([
    ['en-GB', 'This text cannot be drawn as a diagram:'],
    ['ko-KR', '이 텍스트로는 다이어그램을 그릴 수 없어요:'],
  ])('has a dialog in which axe finds no violation, with its errors under a heading in %s', async (locale, heading) => {
    const ann = await Visitor.enter(browser, url, 'Ann', { locale });
    await openDialog(ann);
    await expectNoViolations(ann.page, 'diagram');
    await ann.page.locator('.ttd-dialog-input').fill('graph TD; A--');
    const error = ann.page.getByTestId('ttd-dialog-output-error');
    await until(async () => expect(await error.innerText()).toContain(heading));
    expect(await error.innerText()).toContain('Parse error on line');
    expect(await error.locator('p').getAttribute('lang')).toBe('en');
    // Another error, and none.
    await ann.page.locator('.ttd-dialog-input').fill('nothing');
    await until(async () => expect(await error.innerText()).toMatch(/No diagram type/));
    expect(await error.innerText()).toContain(heading);
    await ann.page.locator('.ttd-dialog-input').fill('graph TD; A-->B');
    await error.waitFor({ state: 'detached' });
    const targets = await ann.page.locator('.ttd-dialog a').evaluateAll((links) => links.map((link) => link.getAttribute('target')));
    expect(new Set(targets)).toEqual(new Set(['_blank']));
  });
});
