import type { ExcalidrawElement } from '@excalidraw/excalidraw/element/types';
import type { StaticCanvasRenderConfig } from '@excalidraw/excalidraw/scene/types';
import type { StaticCanvasAppState } from '@excalidraw/excalidraw/types';

export type Element = ExcalidrawElement;

/** What the editor is about to draw; see `excalidraw-diet.ts`. */
export interface Scene {
  canvas: HTMLCanvasElement;
  context: CanvasRenderingContext2D;
  scale: number;
  appState: StaticCanvasAppState;
  renderConfig: StaticCanvasRenderConfig;
  /** All elements that are drawn when they are in view, lowest first. */
  elementsMap: ReadonlyMap<string, Element>;
  /** Draw on another canvas from now on. */
  drawOn: (context: CanvasRenderingContext2D) => void;
  /** Draw the scene again as it is now. */
  redraw: () => void;
}

/** One drawing of a scene. */
export interface Drawing {
  scene: Scene;
  /** The elements in view, lowest first. */
  visible: readonly Element[];
  /** All elements, lowest first. */
  elements: readonly Element[];
  draw: (element: Element) => void;
}

/** Device pixels of the canvas for one unit of the scene. */
export const pixelsOf = ({ appState, scale }: Scene): number => appState.zoom.value * scale;

/** True if two drawings of a scene show the same part of it at the same size. */
export const isSameView = ({ appState }: Scene, other: Scene | undefined): boolean =>
  other?.appState.scrollX === appState.scrollX && other.appState.scrollY === appState.scrollY && other.appState.zoom.value === appState.zoom.value;

/** True while the editor, because the view is zoomed, draws elements from pictures of another size. */
export const isRough = ({ appState }: Scene): boolean => appState.shouldCacheIgnoreZoom;

/** All but the elements and the view that decides how they look. */
export function looksOf({ canvas, scale, appState, renderConfig }: Scene): readonly unknown[] {
  const { theme, viewBackgroundColor, gridSize, gridStep } = appState;
  const { frameRendering, frameToHighlight, croppingElementId, selectedElementIds } = appState;
  const { openDialog, hoveredElementIds } = appState as Partial<Record<'openDialog' | 'hoveredElementIds', unknown>>;
  // The selection is drawn on a canvas of its own: here it counts only beside these two.
  const chosen = frameToHighlight !== null || Boolean(openDialog) ? selectedElementIds : null;
  const { renderGrid, elementsPendingErasure, pendingFlowchartNodes } = renderConfig;
  return [
    canvas, canvas.width, canvas.height, scale, globalThis.devicePixelRatio, theme, viewBackgroundColor,
    gridSize, gridStep, renderGrid, frameRendering, frameToHighlight, croppingElementId, chosen,
    openDialog, hoveredElementIds, elementsPendingErasure.size === 0 || {}, pendingFlowchartNodes,
  ]; // prettier-ignore
}

/** True for an element that is drawn with others, or with what is loaded later. */
export function dependsOnMore(element: Element): boolean {
  const { type, frameId, link, boundElements } = element;
  if (type === 'image' || frameId !== null || link !== null) return true;
  if (type === 'text' && element.containerId !== null) return true;
  return boundElements?.some((bound) => bound.type === 'text') ?? false;
}

/** True for an element that the editor draws after all others. */
export const isEmbedded = ({ type }: Element): boolean => type === 'embeddable' || type === 'iframe';
