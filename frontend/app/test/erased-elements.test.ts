import { ElementsBinding, type CanvasElement } from '@isshoni/canvas-binding';
import type { IsshoniClient } from '@isshoni/client';
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { FakeEditor } from '../../packages/canvas-binding/test/fake-editor.js';
import { seeded } from '../../packages/canvas-binding/test/seeded.js';
import { ErasedElements, KEEP_COUNT, KEEP_MS } from '../src/models/erased-elements.js';

/** A tab: a document, an editor bound to it, and what tidies up, by a clock that all tabs share. */
class Tab {
  static nowMs = 0;
  readonly doc = new Y.Doc();
  readonly elements = this.doc.getMap('elements');
  readonly editor = new FakeEditor();
  readonly binding = new ElementsBinding(this.elements, this.editor, () => undefined);
  status = 'restored';
  permit: { role: string } | null = null;
  readonly erased = new ErasedElements(this as unknown as IsshoniClient, () => Tab.nowMs);

  on(): () => void {
    return () => undefined;
  }

  draw(count: number, prefix = 'e'): void {
    for (let at = 0; at < count; at += 1) this.editor.add(`${prefix}${at}`);
    this.binding.pull();
  }

  erase(...ids: string[]): void {
    for (const id of ids) this.editor.change(id, { isDeleted: true });
    this.binding.pull();
  }

  visible(): string[] {
    return this.editor.visible().map(({ id }) => id).sort();
  }
}

function meet(...tabs: Tab[]): void {
  for (let round = 0; round < 2; round += 1) {
    tabs.forEach(({ binding }) => binding.pull());
    for (const from of tabs) {
      for (const to of tabs) Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)), 'network');
    }
    tabs.forEach(({ binding }) => binding.pull());
  }
}

const ids = (count: number, from = 0): string[] => Array.from({ length: count }, (_, at) => `e${from + at}`);
const pass = (ms: number): void => void (Tab.nowMs += ms);
const MANY = KEEP_COUNT + 20;

function start(): Tab {
  const tab = new Tab();
  tab.draw(MANY + 1);
  tab.erase(...ids(MANY));
  return tab;
}

test('what was erased long ago is removed, except what was erased last', () => {
  const tab = start();
  pass(KEEP_MS - 1);
  tab.erased.remove();
  expect(tab.elements.size).toBe(MANY + 1);
  pass(1);
  tab.erased.remove();
  expect([...tab.elements.keys()].sort()).toEqual([...ids(KEEP_COUNT, 20), `e${MANY}`].sort());
  expect(tab.visible()).toEqual([`e${MANY}`]);
});

test('an erased element that came back, if only for a moment, is kept for as long again', () => {
  const tab = start();
  pass(KEEP_MS - 1);
  tab.editor.change('e0', { isDeleted: false });
  tab.binding.pull();
  tab.erase('e0');
  pass(1);
  tab.erased.remove();
  expect(tab.elements.has('e0')).toBe(true);
  expect(tab.elements.has('e1')).toBe(false);
});

test('a deletion can be undone until the element is removed; after that an undo changes nothing', () => {
  const tab = start();
  tab.binding.undo();
  expect(tab.visible()).toHaveLength(MANY + 1);
  tab.binding.redo();
  pass(KEEP_MS);
  tab.erased.remove();
  tab.binding.undo();
  expect(tab.visible()).not.toContain('e0');
  expect(tab.visible()).toContain(`e${MANY - 1}`);
});

test('an element whose drawing was undone is removed too', () => {
  const tab = start();
  tab.draw(1, 'undone');
  tab.binding.undo();
  pass(KEEP_MS);
  tab.draw(KEEP_COUNT, 'more');
  tab.erase(...Array.from({ length: KEEP_COUNT }, (_, at) => `more${at}`));
  expect(tab.elements.has('undone0')).toBe(true);
  tab.erased.remove();
  expect(tab.elements.has('undone0')).toBe(false);
  tab.binding.redo();
  expect(tab.visible()).not.toContain('undone0');
});

test('a reader, and a tab without a connection, remove nothing', () => {
  const tab = start();
  pass(KEEP_MS);
  for (const change of [{ permit: { role: 'read' } }, { permit: null, status: 'connecting' }]) {
    Object.assign(tab, change);
    tab.erased.remove();
    expect(tab.elements.size).toBe(MANY + 1);
  }
});

test.each([[[]], [['e0']]])('an element that one removed stays away when another has moved it offline, with %j in the hand', (held) => {
  const ann = new Tab();
  const bo = new Tab();
  ann.draw(MANY);
  meet(ann, bo);
  ann.erase(...ids(MANY));
  pass(KEEP_MS);
  ann.erased.remove();
  bo.editor.held = new Set(held);
  bo.editor.change('e0', { x: 77 });
  meet(ann, bo);
  if (held.length > 0) bo.editor.change('e0', { x: 78 });
  bo.binding.pull();
  bo.editor.held = new Set();
  meet(ann, bo);
  for (const tab of [ann, bo]) {
    expect(tab.elements.has('e0')).toBe(false);
    expect(tab.visible()).toEqual([]);
  }
});

let removals = 0;

test.each(Array.from({ length: 12 }, (_, seed) => seed))('what was removed never comes back, whole or in part, seed %i', (seed) => {
  const random = seeded(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const tabs = [new Tab(), new Tab(), new Tab()];
  tabs[0]!.draw(MANY + 10);
  meet(...tabs);
  tabs[0]!.erase(...ids(MANY));
  const removed = new Set<string>();
  for (let step = 0; step < 40; step += 1) {
    const tab = tabs[below(3)]!;
    const someone = (): CanvasElement | undefined => tab.editor.visible()[below(tab.editor.visible().length)];
    const acts = [
      () => tab.erase(...tab.visible().slice(0, below(60))),
      () => tab.binding.undo(),
      () => tab.binding.redo(),
      () => someone() && tab.editor.change(someone()!.id, { x: below(100) }),
      () => void (tab.editor.held = new Set([someone()?.id ?? ''])),
      () => void (tab.editor.held = new Set()),
      () => meet(...tabs.filter(() => random() < 0.7)),
      () => pass(KEEP_MS / 2),
    ];
    acts[below(acts.length)]!();
    const before = [...tab.elements.keys()];
    tab.erased.remove();
    before.filter((id) => !tab.elements.has(id)).forEach((id) => removed.add(id));
  }
  removals += removed.size;
  tabs.forEach(({ editor }) => (editor.held = new Set()));
  meet(...tabs);
  for (const tab of tabs) {
    expect(tab.elements.toJSON()).toEqual(tabs[0]!.elements.toJSON());
    expect([...removed].filter((id) => tab.elements.has(id) || tab.visible().includes(id))).toEqual([]);
    for (const element of Object.values(tab.elements.toJSON())) expect(element).toHaveProperty('x');
  }
});

test('the random runs remove elements', () => {
  expect(removals).toBeGreaterThan(100);
});
