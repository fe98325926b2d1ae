import { ScenePicture } from './scene-picture.js';
import type { Drawing, Element } from './scene.js';

/** Time for one part of a drawing. */
const SLICE_MS = 8;
/** Elements of the first part. */
const FIRST_BATCH = 100;
/** The drawing goes on after this time even if the browser is never idle. */
const IDLE_TIMEOUT_MS = 300;

/** Draws a scene's lowest elements on a picture, in parts of 8 ms while the browser has nothing else to do. */
export class Redrawing {
  private picture: ScenePicture | null = null;
  private batch = FIRST_BATCH;
  private left: Element[] = [];
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
    this.picture = picture;
    this.drawing = drawing;
    this.left = drawing.visible.filter((element) => !above.has(element)).reverse();
    this.wait();
  }

  /** Leave it unfinished. */
  stop(): void {
    this.picture = null;
    this.drawing = null;
    this.left = [];
  }

  private wait(): void {
    const { picture } = this;
    const next = (): void => {
      if (picture === this.picture) this.drawPart();
    };
    if ('requestIdleCallback' in globalThis) requestIdleCallback(next, { timeout: IDLE_TIMEOUT_MS });
    else setTimeout(next);
  }

  private drawPart(): void {
    const { picture, drawing } = this;
    if (picture === null || drawing === null) return;
    const started = performance.now();
    this.drawBatch(picture.context, drawing);
    picture.flush(this.probe);
    const spent = Math.max(1, performance.now() - started);
    this.batch = Math.max(10, Math.round(this.batch * Math.min(2, SLICE_MS / spent)));
    if (this.left.length > 0) return this.wait();
    this.stop();
    this.done(picture);
  }

  private drawBatch(context: CanvasRenderingContext2D, { scene, draw }: Drawing): void {
    context.setTransform(scene.context.getTransform());
    scene.drawOn(context);
    try {
      for (let drawn = 0; drawn < this.batch && this.left.length > 0; drawn += 1) draw(this.left.pop()!);
    } finally {
      scene.drawOn(scene.context);
    }
  }
}
