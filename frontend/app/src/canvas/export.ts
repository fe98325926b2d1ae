import * as excalidraw from '@excalidraw/excalidraw';
import type { NonDeletedExcalidrawElement } from '@excalidraw/excalidraw/element/types';
import type { AppState, BinaryFiles, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';

export type CanvasFormat = 'png' | 'svg' | 'json';

interface Drawing {
  elements: readonly NonDeletedExcalidrawElement[];
  appState: Partial<AppState>;
  files: BinaryFiles;
}

/** Typed here: the package's types for these refer to a package that does not exist. */
const { exportToBlob, exportToSvg } = excalidraw as unknown as {
  exportToBlob: (drawing: Drawing & { mimeType: string; getDimensions: typeof sharp }) => Promise<Blob>;
  exportToSvg: (drawing: Drawing) => Promise<SVGSVGElement>;
};

/** Return the canvas as a PNG, SVG or Excalidraw file. */
export async function exportCanvas(api: ExcalidrawImperativeAPI, format: CanvasFormat): Promise<Blob> {
  const elements = api.getSceneElements();
  const files = api.getFiles();
  const { viewBackgroundColor } = api.getAppState();
  const appState = { viewBackgroundColor, exportBackground: true, exportEmbedScene: format === 'svg' };
  if (format === 'json') {
    return new Blob([excalidraw.serializeAsJSON(elements, appState, files, 'local')], { type: 'application/json' });
  }
  if (format === 'svg') {
    const svg = await exportToSvg({ elements, appState, files });
    return new Blob([svg.outerHTML], { type: 'image/svg+xml' });
  }
  return exportToBlob({ elements, appState, files, mimeType: 'image/png', getDimensions: sharp });
}

/** Return twice the size in pixels, limited to what browsers can draw. */
function sharp(width: number, height: number): { width: number; height: number; scale: number } {
  const scale = Math.min(2, 8192 / Math.max(width, height));
  return { width: width * scale, height: height * scale, scale };
}
