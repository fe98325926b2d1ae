import { pixelsOf, type Drawing, type Element, type Scene } from './scene.js';

type Box = readonly [left: number, top: number, width: number, height: number];

/** Room around an element for its line and its arrowheads. */
const PADDING = 20;
const LINE_PADDING = 12;

/** A picture of the lowest elements of a scene with what lies below them, as large as the canvas. */
export class ScenePicture {
  /** How many of the elements are in it. */
  count = 0;
  /** True if it is what the editor would draw; false once it was shifted. */
  isExact = false;
  readonly context: CanvasRenderingContext2D;
  private readonly canvas = document.createElement('canvas');
  private scrollX = 0;
  private scrollY = 0;

  constructor() {
    this.context = this.canvas.getContext('2d')!;
  }

  /** Copy what is on the scene's canvas now: `count` elements and what lies below them. */
  copy(scene: Scene, count: number): void {
    this.take(scene);
    this.count = count;
    this.isExact = true;
    this.scrollX = scene.appState.scrollX;
    this.scrollY = scene.appState.scrollY;
  }

  /** Return how many pixels the scene was scrolled since the picture was made; null if it shows none of it. */
  distanceTo(scene: Scene): readonly [dx: number, dy: number] | null {
    const pixels = pixelsOf(scene);
    const dx = Math.round((scene.appState.scrollX - this.scrollX) * pixels);
    const dy = Math.round((scene.appState.scrollY - this.scrollY) * pixels);
    return Math.abs(dx) < this.canvas.width && Math.abs(dy) < this.canvas.height ? [dx, dy] : null;
  }

  /** True if it was made for the place that the scene is scrolled to. */
  isAt({ appState }: Scene): boolean {
    return this.isExact && this.scrollX === appState.scrollX && this.scrollY === appState.scrollY;
  }

  /** Draw it on the scene's canvas. */
  show({ context }: Scene): void {
    onPixels(context, () => context.drawImage(this.canvas, 0, 0));
  }

  /**
   * Draw it on the scene's canvas, shifted, and the elements in `visible` where it does not reach.
   *
   * It is shifted by whole pixels. So it may differ by less than one from what the editor would draw:
   * good enough while the view moves.
   */
  shift([dx, dy]: readonly [number, number], { scene, draw }: Drawing, visible: readonly Element[]): void {
    const { context } = scene;
    const { width, height } = this.canvas;
    const covered: Box = [Math.max(0, dx), Math.max(0, dy), width - Math.abs(dx), height - Math.abs(dy)];
    within(context, covered, () => onPixels(context, () => context.drawImage(this.canvas, dx, dy)));
    for (const strip of stripsBeside(covered, width, height)) {
      const isIn = boundsTest(strip, scene);
      within(context, strip, () => visible.filter(isIn).forEach(draw));
    }
    this.take(scene);
    this.isExact = false;
    this.scrollX += dx / pixelsOf(scene);
    this.scrollY += dy / pixelsOf(scene);
  }

  /** Draw now what the browser has only recorded: it would do so for all at once, later. */
  flush(probe: CanvasRenderingContext2D): void {
    probe.drawImage(this.canvas, 0, 0, 1, 1, 0, 0, 1, 1);
  }

  private take({ canvas }: Scene): void {
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

/** Return what of a canvas is not covered by a box that touches two of its sides at least. */
function stripsBeside([left, top, width, height]: Box, fullWidth: number, fullHeight: number): Box[] {
  const strips: Box[] = [
    [left === 0 ? width : 0, 0, fullWidth - width, fullHeight],
    [left, top === 0 ? height : 0, width, fullHeight - height],
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
