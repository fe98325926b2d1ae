import { nearTest, type ScenePicture } from './scene-picture.js';
import type { Drawing, Element } from './scene.js';

/** Time for one part of a drawing. */
const SLICE_MS = 8;
/** Elements of the first part. */
const FIRST_BATCH = 100;
/** Elements of any part at least; preparing one for the first time takes up to a millisecond. */
const LEAST_BATCH = 8;
/** The drawing goes on after this time even if the browser is never idle. */
const IDLE_TIMEOUT_MS = 300;

/**
 * Draws a scene's lowest elements on a picture, in parts of 8 ms while the browser has nothing else to do.
 *
 * Then those near the view are drawn where nothing is seen of it: the editor prepares each element when
 * it first draws it, and many come into view with one step of a pan.
 */
export class Redrawing {
  private picture: ScenePicture | null = null;
  private batch = FIRST_BATCH;
  private left: Element[] = [];
  private near: Element[] = [];
  private drawing: Drawing | null = null;
  private readonly probe = document.createElement('canvas').getContext('2d')!;

  constructor(private readonly done: (picture: ScenePicture) => void) {}

  /** How many elements the picture will have; 0 while none is being drawn. */
  get count(): number {
    return this.picture?.count ?? 0;
  }

  /** Begin on `picture`; now there is on the scene's canvas what lies below all elements. */
  begin(picture: ScenePicture, drawing: Drawing, count: number): void {
    const above = new Set(drawing.elements.slice(count));
    picture.copy(drawing.scene, count);
    this.batch = FIRST_BATCH;
    this.picture = picture;
    this.drawing = drawing;
    this.left = drawing.visible.filter((element) => !above.has(element)).reverse();
    const [visible, isNear] = [new Set(drawing.visible), nearTest(drawing.scene)];
    this.near = drawing.elements.slice(0, count).filter((element) => !visible.has(element) && isNear(element));
    this.wait();
  }

  /** Leave it unfinished. */
  stop(): void {
    this.picture = null;
    this.drawing = null;
    this.left = [];
    this.near = [];
  }

  private wait(): void {
    const { drawing } = this;
    const next = (): void => {
      if (drawing !== null && drawing === this.drawing) this.drawPart(drawing);
    };
    if ('requestIdleCallback' in globalThis) requestIdleCallback(next, { timeout: IDLE_TIMEOUT_MS });
    else setTimeout(next);
  }

  private drawPart(drawing: Drawing): void {
    const { picture } = this;
    const started = performance.now();
    if (picture === null) this.drawBatch(this.near, this.probe, drawing);
    else {
      this.drawBatch(this.left, picture.context, drawing);
      picture.flush(this.probe);
    }
    const spent = Math.max(1, performance.now() - started);
    this.batch = Math.max(LEAST_BATCH, Math.round(this.batch * Math.min(2, SLICE_MS / spent)));
    if (picture !== null && this.left.length === 0) {
      this.picture = null;
      this.batch = LEAST_BATCH;
      this.done(picture);
    }
    if (this.left.length + this.near.length > 0) this.wait();
    else this.stop();
  }

  private drawBatch(list: Element[], context: CanvasRenderingContext2D, { scene, draw }: Drawing): void {
    context.save();
    context.setTransform(scene.context.getTransform());
    scene.drawOn(context);
    try {
      for (let drawn = 0; drawn < this.batch && list.length > 0; drawn += 1) draw(list.pop()!);
    } finally {
      scene.drawOn(scene.context);
      context.restore();
    }
  }
}
