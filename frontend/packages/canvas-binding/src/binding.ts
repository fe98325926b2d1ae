import * as Y from 'yjs';
import { isEqual, isUnfinished, sharedProperties, type CanvasElement, type Editor, type Properties } from './element.js';
import { finder, LastSeen } from './last-seen.js';
import { Places } from './places.js';
import { toElement } from './schema.js';
import { prepareStored, readIndex, readStored, writeStored } from './stored.js';

/** An element as editor and document last agreed on it. */
interface Agreed {
  /** The editor's object: a new object may differ although its version is the same. */
  element: CanvasElement;
  version: number;
  versionNonce: number;
  properties: Properties;
}

type Change = readonly [CanvasElement, Properties];

/** The origin of what the binding writes by itself, and no user can undo. */
const UPKEEP = Symbol('upkeep');

/** Transaction origin of writes that prepare new elements and cannot be undone: see `prepareStored`. */
const PREPARATION = Symbol('preparation');

/**
 * Holds an editor and the map of a document's elements together.
 *
 * `push` writes what the editor changed, property by property; `pull` shows what others
 * changed. Neither hears its own echo: what was shown is remembered with its version.
 */
export class ElementsBinding {
  private readonly undoManager: Y.UndoManager;
  private readonly agreed = new Map<string, Agreed>();
  private readonly stale = new Set<string>();
  private readonly places = new Places();
  /** The editor's elements at the last push, so that each push compares those that changed since. */
  private readonly seen = new LastSeen();
  /** The losses of the editor's list at which none of the document's elements was missing in it; null: not known. */
  private complete: number | null = null;
  private nonce = 0;
  /** Pictures that wait for their upload, and the undo step that the rest of their import is. */
  private readonly awaited = new Map<string, unknown>();
  /** What the user was doing at the last push: the ids of elements being edited, and the press. */
  private doing: ReadonlySet<string> = new Set();

  /** `changed` is called when there is something to pull. */
  constructor(
    private readonly map: Y.Map<unknown>,
    private readonly editor: Editor,
    private readonly changed: () => void,
  ) {
    // `push` decides where an undo step ends: one gesture is one step, however long it takes.
    this.undoManager = new Y.UndoManager(map, { trackedOrigins: new Set([this]), captureTimeout: Infinity });
    map.observeDeep(this.observer);
    for (const id of map.keys()) this.readAgain(id);
  }

  /** Let go of the document. */
  destroy(): void {
    this.map.unobserveDeep(this.observer);
    this.undoManager.destroy();
  }

  get canUndo(): boolean {
    return this.undoManager.canUndo();
  }

  get canRedo(): boolean {
    return this.undoManager.canRedo();
  }

  /** Undo my own last gesture; what others did stays. */
  undo(): void {
    this.push();
    this.undoManager.undo();
    this.pull();
  }

  redo(): void {
    this.push();
    this.undoManager.redo();
    this.pull();
  }

  /**
   * Write what the editor changed since the last time.
   *
   * Changes belong to one undo step while the same element is edited, or the same press lasts.
   * A change without either, such as a drop or a menu command, is a step of its own.
   */
  push(): void {
    this.pushChanges();
  }

  /** Push; returns the elements that were compared: all that changed, and all that are not in the document. */
  private pushChanges(): readonly CanvasElement[] {
    const before = this.doing;
    this.doing = this.whatGoesOn();
    if (before.size === 0) this.undoManager.stopCapturing();
    const inGesture = before.size > 0 || this.doing.size > 0;
    const candidates = this.seen.changed(this.editor.elements());
    const changes = this.findChanges(candidates, inGesture);
    if (this.endsImport(changes)) this.resumeStep();
    this.writeChanges(changes);
    this.awaitPictures(candidates, changes.length > 0 && !inGesture ? this.lastStep() : undefined);
    this.lookAgain(candidates);
    if (before.size > 0 && ![...before].some((part) => this.doing.has(part))) this.undoManager.stopCapturing();
    return candidates;
  }

  /**
   * Show what others changed since the last time, and what an undo brought back.
   *
   * Elements that the editor dropped without deleting them (it imported a file) are shown again.
   */
  pull(): void {
    const candidates = this.pushChanges();
    const held = this.editor.inHand();
    if ([...this.stale].every((id) => held.has(id)) && !this.lacksSome()) return;
    const elements = this.editor.elements();
    const kept = new Map<string, CanvasElement>();
    for (const element of candidates) if (!this.agreed.has(element.id)) kept.set(element.id, element);
    if (held.size > 0) for (const element of elements) if (held.has(element.id)) kept.set(element.id, element);
    const present = finder(elements);
    const shown: CanvasElement[] = [];
    for (const { id, index } of this.places.arrange([...kept.values()].map((element) => [element.id, element.index]))) {
      const own = kept.get(id);
      const element = own === undefined ? this.refresh(id, index, present(id, shown.length)) : this.keep(own, index);
      if (element !== null) shown.push(element);
    }
    for (const id of this.stale) {
      if (held.has(id)) continue;
      this.stale.delete(id);
      if (!this.map.has(id)) this.agreed.delete(id);
    }
    this.complete = null;
    this.editor.show(shown);
  }

  private whatGoesOn(): ReadonlySet<string> {
    const press = this.editor.press();
    return new Set([...this.editor.inHand(), ...(press === null ? [] : [press])]);
  }

  /**
   * Return the changes that the editor made to some of its elements.
   *
   * A picture that finished uploading during a gesture is not part of it: it waits for the end.
   */
  private findChanges(candidates: readonly CanvasElement[], inGesture: boolean): Change[] {
    const news = candidates.filter((element) => this.isNews(element) && !this.isRemoved(element.id));
    const ready = news.filter(({ id, type }) => !(inGesture && type === 'image' && !this.agreed.has(id)));
    if (ready.length < news.length && this.doing.size === 0) this.changed();
    return ready.map((element) => [element, sharedProperties(element)]);
  }

  /** Compare elements again at the next push that have something to write, but were not ready for it. */
  private lookAgain(candidates: readonly CanvasElement[]): void {
    for (const element of candidates) {
      if (!this.agreed.has(element.id) || this.isNews(element)) this.seen.forget(element.id);
    }
  }

  /** Remember the pictures that are new and not uploaded, and the step that they belong to. */
  private awaitPictures(candidates: readonly CanvasElement[], step: unknown): void {
    for (const element of candidates) {
      if (element.type !== 'image' || this.agreed.has(element.id)) continue;
      if (!this.awaited.has(element.id)) this.awaited.set(element.id, step);
    }
  }

  /** True if only pictures were changed that belong to the last step. */
  private endsImport(changes: Change[]): boolean {
    const step = this.lastStep();
    const pictures = changes.filter(([{ id }]) => this.awaited.has(id));
    const belong = step !== undefined && pictures.length === changes.length && pictures.every(([{ id }]) => this.awaited.get(id) === step);
    for (const [{ id }] of pictures) this.awaited.delete(id);
    return belong && changes.length > 0;
  }

  private lastStep(): unknown {
    return this.undoManager.undoStack.at(-1);
  }

  /** Let the next change be part of the last undo step. */
  private resumeStep(): void {
    this.undoManager.lastChange = Date.now();
  }

  private writeChanges(changes: Change[]): void {
    if (changes.length === 0) return;
    const moved = changes.some(([{ id }, { index }]) => this.agreed.get(id)?.properties.index !== index);
    const fresh = changes.filter(([{ id }]) => !this.agreed.has(id));
    const replaced = changes.filter(([element]) => this.agreed.get(element.id)?.element !== element);
    this.map.doc?.transact(() => fresh.forEach(([{ id }, properties]) => prepareStored(this.map, id, properties)), PREPARATION);
    this.map.doc?.transact(() => changes.forEach(([element, properties]) => this.write(element, properties)), this);
    // Readers may refuse part of an import or a paste: show it here as they see it.
    for (const [{ id }] of replaced) if (!this.doing.has(id)) this.stale.add(id);
    if (moved) this.settleOrder();
  }

  /** True if the editor dropped an element that is still in the document. */
  private lacksSome(): boolean {
    if (this.complete === this.seen.losses) return false;
    let known = 0;
    for (const { id } of this.editor.elements()) if (this.agreed.has(id)) known += 1;
    if (known === this.agreed.size) this.complete = this.seen.losses;
    return known < this.agreed.size;
  }

  private isNews(element: CanvasElement): boolean {
    const agreed = this.agreed.get(element.id);
    if (agreed === undefined) return !element.isDeleted && !isUnfinished(element);
    if (agreed.version !== element.version || agreed.versionNonce !== element.versionNonce) return true;
    return agreed.element !== element && !isEqual(agreed.properties, sharedProperties(element));
  }

  /** True for an element that was removed from the document: a change here must not write it again. */
  private isRemoved(id: string): boolean {
    return this.agreed.has(id) && !this.map.has(id);
  }

  private write(element: CanvasElement, properties: Properties): void {
    const { type, ...undrawn } = properties;
    const before = this.agreed.get(element.id)?.properties ?? undrawn;
    writeStored(this.map, element.id, before, properties);
    this.agree(element, properties);
  }

  private agree(element: CanvasElement, properties: Properties): void {
    const { id, version, versionNonce } = element;
    this.agreed.set(id, { element, version, versionNonce, properties });
  }

  /** Return the element to show for an id: the one that the editor has, unless it is out of date. */
  private refresh(id: string, index: string, present: CanvasElement | undefined): CanvasElement | null {
    if (present !== undefined && !this.stale.has(id) && present.index === index) return present;
    const element = toElement(id, readStored(this.map.get(id)));
    if (element === null) {
      // If an import adds an element with this id again, all of it must be written.
      this.agreed.delete(id);
      return null;
    }
    this.nonce += 1;
    const version = (present?.version ?? 0) + 1;
    const fresh = { ...element, index, version, versionNonce: this.nonce };
    const properties = sharedProperties(fresh);
    const known = this.agreed.get(id);
    if (present !== undefined && known !== undefined && isEqual(known.properties, properties)) return present;
    this.agree(fresh, properties);
    return fresh;
  }

  /** Leave an element in the hand, or in the making, as it is; only its place must be its own. */
  private keep(element: CanvasElement, index: string): CanvasElement {
    element.index = index;
    const agreed = this.agreed.get(element.id);
    if (agreed !== undefined) agreed.properties.index = index;
    return element;
  }

  /**
   * Write down the indices that were made for want of good ones.
   *
   * A user who moved an element put it between what they saw; it lies there for the
   * others too only if these have the indices that were seen.
   */
  private settleOrder(): void {
    this.map.doc?.transact(() => {
      for (const { id, index } of this.places.unsettled()) {
        const value = this.map.get(id);
        if (value instanceof Y.Map) value.set('index', index);
      }
    }, UPKEEP);
  }

  private readonly observer = (events: Y.YEvent<Y.AbstractType<unknown>>[], { origin }: Y.Transaction): void => {
    const isOwn = origin === this || origin === PREPARATION;
    for (const { path, keys } of events) {
      for (const id of path.length > 0 ? [String(path[0])] : keys.keys()) {
        this.findPlace(id);
        if (!isOwn) this.stale.add(id);
      }
    }
    if (!isOwn) this.changed();
  };

  private readAgain(id: string): void {
    this.findPlace(id);
    this.stale.add(id);
  }

  private findPlace(id: string): void {
    if (this.map.has(id)) this.places.set(id, readIndex(this.map.get(id)));
    else this.places.delete(id);
  }
}
