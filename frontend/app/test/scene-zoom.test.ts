import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SceneLayer } from '../src/canvas/scene-layer.js';
import type { Element, Scene } from '../src/canvas/scene.js';

const [COLUMNS, ROWS, PITCH] = [50, 40, 20];
const COUNT = COLUMNS * ROWS;
const [WIDTH, HEIGHT] = [COLUMNS * PITCH, ROWS * PITCH];
/** Longer than the view must rest until it is drawn again. */
const LONG_MS = 3_000;

/** A canvas on which nothing is seen. */
class BlankCanvas {
  width = WIDTH;
  height = HEIGHT;
  readonly isConnected = true;
  readonly context = new Proxy({}, { get: () => () => undefined, set: () => true });
  getContext = (): unknown => this.context;
}

/** Draws as the editor does: all elements in view at each change, by way of the layer. */
class View {
  scrollX = 0;
  scrollY = 0;
  zoom = 1;
  isRough = false;
  /** How many elements were drawn since the last `render`, and most of them at once. */
  drawn = 0;
  readonly elements = Array.from({ length: COUNT }, (_, at) => rectangle(at));
  private readonly layer = new SceneLayer();
  private readonly canvas = new BlankCanvas();

  /** Returns how many elements were drawn by it. */
  render(): number {
    const before = this.drawn;
    const visible = this.elements.filter((element) => this.isVisible(element));
    this.layer.draw(visible, this.scene(), () => (this.drawn += 1));
    return this.drawn - before;
  }

  /** Zoom about the middle of the view. */
  zoomBy(factor: number): number {
    this.scrollX += (WIDTH / 2 / this.zoom) * (1 / factor - 1);
    this.scrollY += (HEIGHT / 2 / this.zoom) * (1 / factor - 1);
    this.zoom *= factor;
    return this.render();
  }

  private scene(): Scene {
    const { scrollX, scrollY, zoom } = this;
    const appState = { scrollX, scrollY, zoom: { value: zoom }, shouldCacheIgnoreZoom: this.isRough, frameToHighlight: null };
    return {
      canvas: this.canvas, context: this.canvas.context, scale: 1, appState, drawOn: () => undefined,
      renderConfig: { elementsPendingErasure: new Set() }, elementsMap: new Map(this.elements.map((element) => [element.id, element])),
      redraw: () => void this.render(),
    } as unknown as Scene; // prettier-ignore
  }

  private isVisible({ x, y }: Element): boolean {
    const [left, top] = [(x + this.scrollX) * this.zoom, (y + this.scrollY) * this.zoom];
    return left > -PITCH * this.zoom && top > -PITCH * this.zoom && left < WIDTH && top < HEIGHT;
  }
}

function rectangle(at: number): Element {
  const [x, y] = [(at % COLUMNS) * PITCH, Math.floor(at / COLUMNS) * PITCH];
  const size = { width: 8, height: 8, angle: 0, strokeWidth: 1 };
  return { id: `e${at}`, type: 'rectangle', x, y, ...size, version: 1, frameId: null, link: null, boundElements: null } as unknown as Element;
}

/** Let the view rest; returns how many elements were drawn, and most of them in one part. */
function rest(view: View): { drawn: number; most: number } {
  const before = view.drawn;
  let most = 0;
  for (let ms = 0; ms < LONG_MS; ms += 1) {
    const sofar = view.drawn;
    vi.advanceTimersByTime(1);
    most = Math.max(most, view.drawn - sofar);
  }
  return { drawn: view.drawn - before, most };
}

beforeEach(() => {
  vi.useFakeTimers();
  const fonts = { status: 'loaded', addEventListener: () => undefined };
  vi.stubGlobal('document', { createElement: () => new BlankCanvas(), fonts });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function restingView(): View {
  const view = new View();
  vi.advanceTimersByTime(LONG_MS);
  expect(view.render()).toBe(COUNT);
  rest(view);
  expect(view.render()).toBe(0);
  return view;
}

test('zooming in draws no element until the view rests, and then in parts', () => {
  const view = restingView();
  for (let step = 0; step < 5; step += 1) expect(view.zoomBy(1.1)).toBe(0);
  const { drawn, most } = rest(view);
  expect(drawn).toBeGreaterThan(500);
  expect(most).toBeLessThan(COUNT / 2);
  expect(view.render()).toBe(0);
});

test('zooming out draws what comes into view', () => {
  const view = restingView();
  view.zoomBy(1.5);
  rest(view);
  const shown = (): number => (WIDTH / PITCH / view.zoom) * (HEIGHT / PITCH / view.zoom);
  while (view.zoom > 1.1) expect(view.zoomBy(1 / 1.1)).toBeLessThan(0.5 * shown());
  expect(rest(view).most).toBeLessThan(COUNT / 2);
  expect(view.render()).toBe(0);
});

test('while the editor draws roughly nothing is drawn again; once it does not, it is', () => {
  const view = restingView();
  view.isRough = true;
  view.zoomBy(1.1);
  view.zoomBy(1.1);
  expect(rest(view).drawn).toBe(0);
  view.isRough = false;
  expect(view.render()).toBe(0);
  expect(rest(view).drawn).toBeGreaterThan(500);
  expect(view.render()).toBe(0);
});

test('a view that jumps to where the picture shows little is drawn at once', () => {
  const view = restingView();
  view.zoomBy(1.5);
  rest(view);
  view.zoom = 0.2;
  [view.scrollX, view.scrollY] = [WIDTH, HEIGHT];
  expect(view.render()).toBe(COUNT);
});

test('an element that changes during a zoom is drawn, with those above it', () => {
  const view = restingView();
  view.zoomBy(1.1);
  Object.assign(view.elements[COUNT - 10]!, { version: 2, x: WIDTH / 2, y: HEIGHT / 2 });
  expect(view.zoomBy(1.05)).toBeGreaterThan(0);
});
