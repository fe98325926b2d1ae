import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { ElementsBinding, type CanvasElement } from '../src/index.js';
import { FakeEditor } from './fake-editor.js';
import { seeded } from './seeded.js';

const SEEDS = Number(process.env.FUZZ_SEEDS ?? 150);
const STEPS = 60;
const PEOPLE = 3;

const twice = <T>(one: T): T[] => [one, one];

class Person {
  readonly doc = new Y.Doc();
  readonly map = this.doc.getMap<unknown>('elements');
  readonly editor: FakeEditor;
  readonly binding: ElementsBinding;
  readonly inbox: Uint8Array[] = [];
  private drawn = 0;

  constructor(
    private readonly name: string,
    clientId: number,
    private readonly random: () => number,
  ) {
    this.doc.clientID = clientId;
    this.editor = new FakeEditor(random);
    this.binding = new ElementsBinding(this.map, this.editor, () => undefined);
  }

  /** Do one of the things that people, and the network, do. */
  act(): void {
    const acts: (() => void)[] = [
      ...twice(() => this.draw()),
      () => this.extend(),
      ...twice(() => this.change()),
      () => this.erase(),
      ...twice(() => this.restack()),
      () => this.binding.undo(),
      () => this.binding.redo(),
      () => this.hold(),
      () => this.meddle(),
      () => this.open(),
      ...twice(() => this.sync()),
    ];
    if (this.random() < 0.5) this.binding.push();
    if (this.random() < 0.2) this.editor.pressed = this.random() < 0.5 ? null : `press-${this.below(1000)}`;
    acts[this.below(acts.length)]!();
  }

  /** Do one thing by mouse, in several pushes, or at once as a drop or a menu does. */
  gesture(press: string): void {
    const grow = (): void => this.extend();
    const move = (id: string | null) => (): void => {
      if (id !== null) this.editor.change(id, { x: (this.editor.find(id).x as number) + 1 + this.below(50) });
    };
    const slow = [grow, move(this.someId()), () => this.draw()];
    const quick = [...slow, () => this.erase(), () => this.restack()];
    const isSlow = this.random() < 0.5;
    if (isSlow) this.editor.pressed = press;
    const act = isSlow ? slow[this.below(slow.length)]! : quick[this.below(quick.length)]!;
    for (let step = isSlow ? 1 + this.below(4) : 1; step > 0; step -= 1) {
      act();
      this.binding.pull();
    }
    this.editor.pressed = null;
    this.binding.pull();
  }

  receive(): void {
    for (const update of this.inbox.splice(0, 1 + this.below(3))) Y.applyUpdate(this.doc, update, 'network');
  }

  private sync(): void {
    this.receive();
    this.binding.pull();
  }

  private draw(): void {
    this.drawn += 1;
    const stroke = { type: 'freedraw', points: [[0, 0], [1, 1]], pressures: [] };
    this.editor.add(`${this.name}${this.drawn}`, this.random() < 0.5 ? stroke : { x: this.below(100) });
    this.binding.push();
  }

  private extend(): void {
    const id = this.someId((type) => type === 'freedraw');
    if (id === null) return;
    const points = this.editor.find(id).points as number[][];
    this.editor.change(id, { points: [...points, [this.below(50), this.below(50)]] });
  }

  private change(): void {
    const id = this.someId();
    if (id === null) return;
    const changes = [{ x: this.below(100) }, { strokeColor: this.random() < 0.5 ? '#ff0000' : '#0000ff' }, { width: 1 + this.below(50) }];
    this.editor.change(id, changes[this.below(changes.length)]!);
  }

  private erase(): void {
    const id = this.someId();
    if (id !== null) this.editor.change(id, { isDeleted: true });
  }

  private restack(): void {
    const id = this.someId();
    if (id !== null) this.editor.restack(id, this.below(this.editor.elements().length));
  }

  private hold(): void {
    const id = this.someId();
    if (this.editor.held.size > 0 || id === null) this.editor.held.clear();
    else this.editor.held.add(id);
  }

  /** What programs do, and rascals: they write elements whole, erase them, spoil them. */
  private meddle(): void {
    const id = this.someId() ?? 'program';
    const [what, x] = [this.below(4), this.below(100)];
    if (what === 0) this.map.set(`program${this.below(3)}`, { type: 'ellipse', x, y: 0, width: 5, height: 5 });
    else if (what === 1) this.map.delete(id);
    else if (what === 2) this.map.set(id, this.random() < 0.5 ? 'rubbish' : { type: 'diamond', x, y: 1, width: 5, height: 5 });
    else {
      const element = this.map.get(id);
      if (element instanceof Y.Map) element.set(this.random() < 0.5 ? 'index' : 'width', this.random() < 0.5 ? 'a0' : {});
    }
  }

  /** Drop a file of some that are here, as they are or were, and one that is not. */
  private open(): void {
    const some = this.editor.visible().filter(() => this.random() < 0.3);
    const foreign = { ...some[0], id: `file${this.below(3)}`, type: this.random() < 0.8 ? some[0]?.type : 'iframe' };
    if (some.length === 0) return;
    this.editor.open([...some.map((element) => ({ ...element, x: this.below(9) })), foreign as CanvasElement]);
    this.binding.push();
  }

  private someId(wanted: (type: string) => boolean = () => true): string | null {
    const elements = this.editor.visible().filter(({ type }) => wanted(type));
    return elements[this.below(elements.length)]?.id ?? null;
  }

  private below(count: number): number {
    return Math.floor(this.random() * count);
  }
}

function gather(random: () => number): Person[] {
  const people = Array.from({ length: PEOPLE }, (_, at) => new Person('abc'[at]!, at + 1, random));
  for (const from of people) {
    from.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'network') people.forEach((to) => to !== from && to.inbox.push(update));
    });
  }
  return people;
}

function settle(people: Person[]): void {
  people.forEach(({ editor }) => {
    editor.held.clear();
    editor.pressed = null;
  });
  for (let round = 0; round < 4; round += 1) {
    people.forEach(({ binding }) => binding.pull());
    for (const person of people) while (person.inbox.length > 0) person.receive();
  }
  people.forEach(({ binding }) => binding.pull());
}

/** What a person sees, without how often this editor was told of it. */
function seen({ editor }: Person): unknown[] {
  return editor.elements().map(({ version, versionNonce, updated, status, ...shared }) => shared);
}

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))('three people come to the same canvas, seed %i', (seed) => {
  const random = seeded(seed);
  const people = gather(random);
  for (let step = 0; step < STEPS; step += 1) people[Math.floor(random() * PEOPLE)]!.act();
  settle(people);
  const [first, ...others] = people;
  for (const other of others) {
    expect(other.map.toJSON()).toEqual(first!.map.toJSON());
    expect(seen(other)).toEqual(seen(first!));
  }
  const indices = first!.editor.elements().map(({ index }) => index);
  expect(indices).toEqual([...new Set(indices)].sort());
  const before = people.map(({ doc }) => Y.encodeStateVector(doc));
  people.forEach(({ binding }) => binding.pull());
  expect(people.map(({ doc }) => Y.encodeStateVector(doc))).toEqual(before);
});

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))('each undo and redo goes one gesture, seed %i', (seed) => {
  const random = seeded(seed);
  const [person] = gather(random);
  const states = [sight(person!)];
  for (let gesture = 0; gesture < 12; gesture += 1) {
    const before = JSON.stringify(seen(person!));
    person!.gesture(`press-${gesture}`);
    if (JSON.stringify(seen(person!)) !== before) states.push(sight(person!));
  }
  for (const state of states.slice(0, -1).reverse()) {
    person!.binding.undo();
    expect(sight(person!)).toEqual(state);
  }
  expect(person!.binding.canUndo).toBe(false);
  for (const state of states.slice(1)) {
    person!.binding.redo();
    expect(sight(person!)).toEqual(state);
  }
});

/** The visible elements of a person, in order, as text; how an index says that order may change. */
function sight(person: Person): string {
  const visible = (seen(person) as CanvasElement[]).filter(({ isDeleted }) => !isDeleted);
  return JSON.stringify(visible.map(({ index, ...shared }) => shared), sortKeys);
}

const sortKeys = (_: string, value: unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
    : value;
