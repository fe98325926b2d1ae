import type { ExcalidrawElement } from '@excalidraw/excalidraw/element/types';
import type { StaticCanvasRenderConfig } from '@excalidraw/excalidraw/scene/types';
import type { StaticCanvasAppState } from '@excalidraw/excalidraw/types';

/** Fewer elements are drawn as quickly as a picture of them. */
const LEAST = 300;
/** Texts are drawn again for some time after a font was loaded. */
const FONT_MS = 1_000;

type Elements = readonly ExcalidrawElement[];

/** What the editor is about to draw; see `excalidraw-diet.ts`. */
export interface Scene {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
  scale: number;
  appState: StaticCanvasAppState;
  renderConfig: StaticCanvasRenderConfig;
}

interface Drawn {
  element: ExcalidrawElement;
  version: number;
}

/**
 * Keeps a picture of the lowest elements of the canvas, which others draw above.
 *
 * The editor draws all elements in view at each change, although a change is mostly one stroke on top.
 * Elements at the bottom that stayed the same from one time to the next, in the same view, are drawn
 * as one picture. It ends at the first element whose looks depend on more than itself.
 */
export class SceneLayer {
  private view: readonly unknown[] = [];
  /** What was drawn last, lowest first. */
  private last: Drawn[] = [];
  /** How many of those are in the picture; 0: there is none. */
  private count = 0;
  private picture: HTMLCanvasElement | null = null;
  private fontsAt = -FONT_MS;

  constructor() {
    document.fonts.addEventListener('loadingdone', () => {
      this.fontsAt = performance.now();
      this.count = 0;
    });
  }

  /** Call `draw` for each element that is not in the picture, after the picture itself was drawn. */
  readonly draw = (elements: Elements, scene: Scene, draw: (element: ExcalidrawElement) => void): void => {
    if (scene.renderConfig.isExporting) return elements.forEach(draw);
    const same = this.findSame(elements, scene);
    this.remember(elements);
    const isNear = same - this.count < LEAST;
    if (this.count > 0 && same >= this.count && isNear) return this.drawAbove(elements, scene.context, draw);
    this.count = 0;
    const settled = same >= LEAST && this.mayKeep() ? same : 0;
    elements.slice(0, settled).forEach(draw);
    if (settled > 0) this.keep(scene.canvas, settled);
    elements.slice(settled).forEach(draw);
  };

  private drawAbove(elements: Elements, context: CanvasRenderingContext2D, draw: (element: ExcalidrawElement) => void): void {
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalCompositeOperation = 'copy';
    context.drawImage(this.picture!, 0, 0);
    context.restore();
    elements.slice(this.count).forEach(draw);
  }

  private keep(canvas: HTMLCanvasElement, count: number): void {
    this.picture ??= document.createElement('canvas');
    if (this.picture.width !== canvas.width) this.picture.width = canvas.width;
    if (this.picture.height !== canvas.height) this.picture.height = canvas.height;
    const context = this.picture.getContext('2d')!;
    context.globalCompositeOperation = 'copy';
    context.drawImage(canvas, 0, 0);
    this.count = count;
  }

  /** Return how many of the lowest elements are as they were drawn last; 0 in another view. */
  private findSame(elements: Elements, scene: Scene): number {
    const view = viewOf(scene);
    const isSameView = view.every((part, at) => part === this.view[at]);
    this.view = view;
    if (!isSameView) return 0;
    const end = elements.findIndex((element, at) => {
      const drawn = this.last[at];
      return drawn?.element !== element || drawn.version !== element.version || dependsOnMore(element);
    });
    return end < 0 ? elements.length : end;
  }

  private remember(elements: Elements): void {
    elements.forEach((element, at) => {
      const drawn = (this.last[at] ??= { element, version: 0 });
      drawn.element = element;
      drawn.version = element.version;
    });
    this.last.length = elements.length;
  }

  private mayKeep(): boolean {
    return document.fonts.status === 'loaded' && performance.now() - this.fontsAt > FONT_MS;
  }
}

/** All but the elements that says how they are drawn. */
function viewOf({ canvas, scale, appState, renderConfig }: Scene): readonly unknown[] {
  const { zoom, scrollX, scrollY, theme, viewBackgroundColor, shouldCacheIgnoreZoom, gridSize, gridStep } = appState;
  const { frameRendering, frameToHighlight, croppingElementId, selectedElementIds } = appState;
  const { openDialog, hoveredElementIds } = appState as Partial<Record<'openDialog' | 'hoveredElementIds', unknown>>;
  // The selection is drawn on a canvas of its own: here it counts only beside these two.
  const chosen = frameToHighlight !== null || Boolean(openDialog) ? selectedElementIds : null;
  const { renderGrid, elementsPendingErasure, pendingFlowchartNodes } = renderConfig;
  return [
    canvas, canvas.width, canvas.height, scale, zoom.value, scrollX, scrollY, theme, viewBackgroundColor, shouldCacheIgnoreZoom,
    gridSize, gridStep, renderGrid, frameRendering, frameToHighlight, croppingElementId, chosen,
    openDialog, hoveredElementIds, elementsPendingErasure.size === 0 || {}, pendingFlowchartNodes,
  ]; // prettier-ignore
}

/** True for an element that is drawn with others, or with what is loaded later. */
function dependsOnMore(element: ExcalidrawElement): boolean {
  const { type, frameId, link, boundElements } = element;
  if (type === 'image' || frameId !== null || link !== null) return true;
  if (type === 'text' && element.containerId !== null) return true;
  return boundElements?.some((bound) => bound.type === 'text') ?? false;
}
