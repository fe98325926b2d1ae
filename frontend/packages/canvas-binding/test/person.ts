import * as Y from 'yjs';
import { ElementsBinding } from '../src/index.js';
import { FakeEditor } from './fake-editor.js';

/** A user with a document, and an editor bound to it. */
export class Person {
  readonly doc = new Y.Doc();
  readonly map = this.doc.getMap('elements');
  readonly editor = new FakeEditor();
  changes = 0;
  readonly binding = new ElementsBinding(this.map, this.editor, () => (this.changes += 1));

  ids(): string[] {
    return this.editor.visible().map((element) => element.id);
  }
}

/** Bring all to the same document, as servers do. */
export function meet(...people: Person[]): void {
  people.forEach(({ binding }) => binding.push());
  for (const from of people) {
    for (const to of people) Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)), 'network');
  }
  people.forEach(({ binding }) => binding.pull());
}

export function two(): [Person, Person] {
  return [new Person(), new Person()];
}
