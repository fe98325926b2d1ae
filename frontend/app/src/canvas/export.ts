import { exportToBlob, exportToSvg, serializeAsJSON } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';

export type CanvasFormat = 'png' | 'svg' | 'json';

/** Make a file of what is on the canvas. */
export async function exportCanvas(api: ExcalidrawImperativeAPI, format: CanvasFormat): Promise<Blob> {
  const elements = api.getSceneElements();
  const files = api.getFiles();
  const { viewBackgroundColor } = api.getAppState();
  const appState = { viewBackgroundColor, exportBackground: true, exportEmbedScene: format === 'svg' };
  if (format === 'json') {
    return new Blob([serializeAsJSON(elements, appState, files, 'local')], { type: 'application/json' });
  }
  if (format === 'svg') {
    const svg = await exportToSvg({ elements, appState, files });
    return new Blob([svg.outerHTML], { type: 'image/svg+xml' });
  }
  return exportToBlob({ elements, appState, files, mimeType: 'image/png', getDimensions: sharp });
}

/** Twice as many pixels as the canvas has units, as far as a browser can paint them. */
function sharp(width: number, height: number): { width: number; height: number; scale: number } {
  const scale = Math.min(2, 8192 / Math.max(width, height));
  return { width: width * scale, height: height * scale, scale };
}
