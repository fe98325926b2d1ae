import { isRough, pixelsOf, type Drawing, type Element, type Scene } from './scene.js';

type Box = readonly [left: number, top: number, width: number, height: number];

/** Where a picture is on the scene's canvas: the pixels of its corner, and its size there for one of its own. */
export interface Placement {
  readonly left: number;
  readonly top: number;
  readonly factor: number;
}

/** A picture of less than this share of the canvas is not worth showing. */
const LEAST_SHARE = 0.1;
/** Room around an element for its line and its arrowheads. */
const PADDING = 20;
const LINE_PADDING = 12;

/** A picture of the lowest elements of a scene with what lies below them, as large as the canvas. */
export class ScenePicture {
  /** How many of the elements are in it. */
  count = 0;
  /** True if it is what the editor would draw; false once it was shifted or scaled. */
  isExact = false;
  readonly context: CanvasRenderingContext2D;
  private readonly canvas = document.createElement('canvas');
  private scrollX = 0;
  private scrollY = 0;
  /** Its pixels for one unit of the scene. */
  private pixels = 1;

  constructor() {
    this.context = this.canvas.getContext('2d')!;
  }

  /** Copy what is on the scene's canvas now: `count` elements and what lies below them. */
  copy(scene: Scene, count: number): void {
    this.take(scene);
    this.count = count;
    this.isExact = !isRough(scene);
  }

  /** Return where it is on the scene's canvas now; null if it shows little or nothing of it. */
  placeOn(scene: Scene): Placement | null {
    const pixels = pixelsOf(scene);
    const factor = pixels / this.pixels;
    const [left, top] = [(scene.appState.scrollX - this.scrollX) * pixels, (scene.appState.scrollY - this.scrollY) * pixels];
    // While the size is the same it is shifted by whole pixels, which leaves it sharp.
    const placement = factor === 1 ? { left: Math.round(left), top: Math.round(top), factor } : { left, top, factor };
    const [, , width, height] = this.coveredBy(placement);
    const least = factor === 1 ? 0 : LEAST_SHARE * this.canvas.width * this.canvas.height;
    return width > 0 && height > 0 && width * height >= least ? placement : null;
  }

  /** True if it was made for the place that the scene is scrolled to. */
  isAt(scene: Scene): boolean {
    const { scrollX, scrollY } = scene.appState;
    return this.isExact && this.scrollX === scrollX && this.scrollY === scrollY && this.pixels === pixelsOf(scene);
  }

  /** Draw it on the scene's canvas. */
  show({ context }: Scene): void {
    onPixels(context, () => context.drawImage(this.canvas, 0, 0));
  }

  /**
   * Draw it on the scene's canvas at `placement`, and the elements in `visible` where it does not reach.
   *
   * It is shifted by whole pixels, or scaled. So it may differ by less than a pixel from what the editor
   * would draw, and be less sharp: good enough while the view moves. What is on the canvas then is the
   * picture from now on; not if nothing was added, as a picture that is scaled again and again gets blurred.
   */
  move(placement: Placement, { scene, draw }: Drawing, visible: readonly Element[]): void {
    const { context } = scene;
    const { left, top, factor } = placement;
    const { width, height } = this.canvas;
    const covered = this.coveredBy(placement);
    const show = (): void => context.drawImage(this.canvas, left, top, width * factor, height * factor);
    within(context, covered, () => onPixels(context, show));
    const strips = stripsBeside(covered, width, height);
    for (const strip of strips) {
      const isIn = boundsTest(strip, scene);
      within(context, strip, () => visible.filter(isIn).forEach(draw));
    }
    if (strips.length === 0) return;
    const before = [this.scrollX, this.scrollY] as const;
    this.take(scene);
    this.isExact = false;
    if (factor !== 1) return;
    // It was shifted by whole pixels, and the view perhaps by a part of one more.
    this.scrollX = before[0] + left / this.pixels;
    this.scrollY = before[1] + top / this.pixels;
  }

  /** Return the box of whole pixels of the canvas that it covers. */
  private coveredBy({ left, top, factor }: Placement): Box {
    const { width, height } = this.canvas;
    const [fromX, fromY] = [Math.max(0, Math.ceil(left)), Math.max(0, Math.ceil(top))];
    const [toX, toY] = [Math.min(width, Math.floor(left + width * factor)), Math.min(height, Math.floor(top + height * factor))];
    return [fromX, fromY, toX - fromX, toY - fromY];
  }

  /** Draw now what the browser has only recorded: it would do so for all at once, later. */
  flush(probe: CanvasRenderingContext2D): void {
    probe.drawImage(this.canvas, 0, 0, 1, 1, 0, 0, 1, 1);
  }

  private take(scene: Scene): void {
    const { canvas, appState } = scene;
    this.scrollX = appState.scrollX;
    this.scrollY = appState.scrollY;
    this.pixels = pixelsOf(scene);
    if (this.canvas.width !== canvas.width) this.canvas.width = canvas.width;
    if (this.canvas.height !== canvas.height) this.canvas.height = canvas.height;
    onPixels(this.context, () => this.context.drawImage(canvas, 0, 0));
  }
}

/** Call `draw` with one unit a pixel; what it draws replaces what is there. */
function onPixels(context: CanvasRenderingContext2D, draw: () => void): void {
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalCompositeOperation = 'copy';
  draw();
  context.restore();
}

/** Call `draw` while nothing outside a box of pixels can change. */
function within(context: CanvasRenderingContext2D, box: Box, draw: () => void): void {
  const transform = context.getTransform();
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.beginPath();
  context.rect(...box);
  context.clip();
  context.setTransform(transform);
  draw();
  context.restore();
}

/** Return what of a canvas is not covered by a box. */
function stripsBeside([left, top, width, height]: Box, fullWidth: number, fullHeight: number): Box[] {
  const [right, bottom] = [left + width, top + height];
  const strips: Box[] = [
    [0, 0, left, fullHeight],
    [right, 0, fullWidth - right, fullHeight],
    [left, 0, width, top],
    [left, bottom, width, fullHeight - bottom],
  ];
  return strips.filter(([, , wide, high]) => wide > 0 && high > 0);
}

/** Return a test that is true for elements that may be drawn in a box of pixels. */
function boundsTest([left, top, width, height]: Box, scene: Scene): (element: Element) => boolean {
  const pixels = pixelsOf(scene);
  const { scrollX, scrollY } = scene.appState;
  const [fromX, toX] = [left / pixels - scrollX, (left + width) / pixels - scrollX];
  const [fromY, toY] = [top / pixels - scrollY, (top + height) / pixels - scrollY];
  return (element) => {
    const [x, y, wide, high] = roomOf(element);
    return x < toX && x + wide > fromX && y < toY && y + high > fromY;
  };
}

/** Return a test that is true for elements that a quarter of the view's width or height more would show. */
export function nearTest(scene: Scene): (element: Element) => boolean {
  const { width, height } = scene.canvas;
  return boundsTest([-width / 4, -height / 4, 1.5 * width, 1.5 * height], scene);
}

/** Return a box that an element is certainly drawn in. */
function roomOf(element: Element): Box {
  const { x, y, width, height, strokeWidth } = element;
  const padding = PADDING + strokeWidth * LINE_PADDING;
  if (Number(element.angle) === 0 && !('points' in element)) return [x - padding, y - padding, width + 2 * padding, height + 2 * padding];
  // A line begins anywhere in its bounds, and a curve goes beyond its points.
  const reach = 1.5 * Math.hypot(width, height) + padding;
  return [x - reach, y - reach, 2 * reach, 2 * reach];
}
