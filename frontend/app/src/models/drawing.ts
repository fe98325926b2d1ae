import type { IsshoniClient } from '@isshoni/client';
import * as Y from 'yjs';
import { extend, isTouched, MAX_POINTS, toStroke, type Stroke } from './stroke.js';

/** Steps of a stroke are sent at most this often: each carries the stroke so far. */
const SEND_EVERY_MS = 60;
const ERASER_RADIUS = 14;

/** The strokes of the canvas, and the pen that adds to them. */
export class Drawing {
  private readonly elements: Y.Map<unknown>;
  private readonly undoManager: Y.UndoManager;
  private open: { id: string; stroke: Stroke } | null = null;
  private sendTimer: ReturnType<typeof setTimeout> | undefined;
  private eraser: [x: number, y: number] = [0, 0];
  private count = 0;

  constructor(private readonly client: IsshoniClient) {
    this.elements = client.elements;
    // One gesture is one step to undo, however long it took.
    this.undoManager = new Y.UndoManager(this.elements, {
      trackedOrigins: new Set([this]),
      captureTimeout: Infinity,
    });
  }

  /** All strokes, in the order in which they lie on the sheet. */
  strokes(): [string, Stroke][] {
    const strokes: [string, Stroke][] = [];
    for (const id of this.elements.keys()) {
      const stroke = this.stroke(id);
      if (stroke !== null) strokes.push([id, stroke]);
    }
    return strokes.sort(([idA, a], [idB, b]) => a.at - b.at || (idA < idB ? -1 : 1));
  }

  /** One stroke as it looks now: the one being drawn is ahead of what was sent. */
  stroke(id: string): Stroke | null {
    return this.open?.id === id ? this.open.stroke : toStroke(this.elements.get(id));
  }

  /** Call `changed` with the ids of strokes that changed; returns a function that stops it. */
  observe(changed: (ids: Iterable<string>) => void): () => void {
    const observer = (event: Y.YMapEvent<unknown>): void => changed(event.keysChanged as Set<string>);
    this.elements.observe(observer);
    return () => this.elements.unobserve(observer);
  }

  /** Put the pen down; gives the id of the stroke. */
  begin(colour: string, width: number, x: number, y: number): string {
    this.undoManager.stopCapturing();
    return this.openStroke(colour, width, [Math.round(x), Math.round(y)]);
  }

  /** Move the pen; gives the id of the stroke that grew. */
  extend(x: number, y: number): string | null {
    if (this.open === null) return null;
    const { id, stroke } = this.open;
    if (!extend(stroke.points, x, y)) return null;
    if (stroke.points.length < 2 * MAX_POINTS) {
      this.sendTimer ??= setTimeout(() => this.send(), SEND_EVERY_MS);
      return id;
    }
    this.send();
    return this.openStroke(stroke.colour, stroke.width, stroke.points.slice(-2));
  }

  /** Lift the pen. */
  end(): void {
    this.send();
    this.open = null;
  }

  /** Put the eraser down; one sweep of it is undone as one. */
  beginErasing(x: number, y: number): void {
    this.undoManager.stopCapturing();
    this.eraser = [x, y];
    this.erase(x, y);
  }

  /** Erase every stroke between where the eraser was and (x, y). */
  erase(x: number, y: number): void {
    const [fromX, fromY] = this.eraser;
    const steps = Math.max(1, Math.ceil(Math.hypot(x - fromX, y - fromY) / ERASER_RADIUS));
    const sweep = Array.from({ length: steps }, (_, step): [number, number] => {
      const along = (step + 1) / steps;
      return [fromX + along * (x - fromX), fromY + along * (y - fromY)];
    });
    this.eraser = [x, y];
    const touched = this.strokes().filter(([, stroke]) =>
      sweep.some(([atX, atY]) => isTouched(stroke, atX, atY, ERASER_RADIUS)),
    );
    if (touched.length === 0) return;
    this.client.doc.transact(() => touched.forEach(([id]) => this.elements.delete(id)), this);
  }

  /** Undo my own last gesture; what others did stays. */
  undo(): void {
    if (this.open === null) this.undoManager.undo();
  }

  redo(): void {
    if (this.open === null) this.undoManager.redo();
  }

  private openStroke(colour: string, width: number, points: number[]): string {
    const by = this.client.clientId;
    // The time makes the id unique over reloads of this tab.
    const id = `${by}.${Date.now().toString(36)}.${this.count++}`;
    this.open = { id, stroke: { type: 'stroke', colour, width, points, by, at: Date.now() } };
    this.send();
    return id;
  }

  private send(): void {
    clearTimeout(this.sendTimer);
    this.sendTimer = undefined;
    if (this.open === null) return;
    const { id, stroke } = this.open;
    const step = { ...stroke, points: [...stroke.points] };
    this.client.doc.transact(() => this.elements.set(id, step), this);
  }
}
