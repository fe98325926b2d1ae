import { CaptureUpdateAction, getCommonBounds, loadSceneOrLibraryFromBlob, newElementWith, zoomToFitBounds } from '@excalidraw/excalidraw';
import type { ExcalidrawElement } from '@excalidraw/excalidraw/element/types';
import type { BinaryFileData, ExcalidrawImperativeAPI, LibraryItemsSource } from '@excalidraw/excalidraw/types';

/** The content of a drawing that was opened, and not yet put on the canvas. */
export interface Drawing {
  name: string;
  elements: readonly ExcalidrawElement[];
  files: readonly BinaryFileData[];
}

/** What a file is: a drawing, a collection of shapes (`library`), or an image. */
export type Content = { is: 'drawing'; drawing: Drawing } | { is: 'library'; items: LibraryItemsSource } | { is: 'image' } | { is: 'unreadable' };

const DRAWINGS = /\.(excalidraw|excalidrawlib|json)$/i;
const isImage = ({ type }: File): boolean => type.startsWith('image/');
/** Formats that may contain the drawing that they were made from. */
const MAY_CONTAIN_DRAWING = new Set(['image/png', 'image/svg+xml']);

/** The files that `readFile` understands, as an `accept` attribute. */
export const ACCEPTED = '.excalidraw,.excalidrawlib,.json,.png,.svg,.jpg,.jpeg,.gif,.webp';

/** True if a file has to be read before it is known what it is. */
export function mayBeDrawing(file: File): boolean {
  return MAY_CONTAIN_DRAWING.has(file.type) || (DRAWINGS.test(file.name) && !isImage(file));
}

/** Return what a file is; never throws. */
export async function readFile(file: File): Promise<Content> {
  if (!mayBeDrawing(file)) return { is: isImage(file) ? 'image' : 'unreadable' };
  try {
    const read = await loadSceneOrLibraryFromBlob(file, null, null);
    if (read.type === 'application/vnd.excalidrawlib+json') return { is: 'library', items: file };
    const { elements, files } = read.data;
    return { is: 'drawing', drawing: { name: file.name, elements, files: Object.values(files) } };
  } catch {
    return { is: isImage(file) ? 'image' : 'unreadable' };
  }
}

/**
 * Insert a drawing into the canvas, and show it.
 *
 * An element that is there already gets the state that the drawing has of it. With `replace`,
 * everything else is deleted, for all users.
 */
export function insertDrawing(api: ExcalidrawImperativeAPI, { elements, files }: Drawing, { replace }: { replace: boolean }): void {
  const inserted = new Set(elements.map(({ id }) => id));
  const others = api.getSceneElementsIncludingDeleted().filter(({ id }) => !inserted.has(id));
  const kept = replace ? others.map((element) => newElementWith(element, { isDeleted: true })) : others;
  api.addFiles([...files]);
  api.updateScene({ elements: [...kept, ...elements], captureUpdate: CaptureUpdateAction.NEVER });
  showAll(api, elements);
}

/** Delete every element, for all users. */
export function resetCanvas(api: ExcalidrawImperativeAPI): void {
  insertDrawing(api, { name: '', elements: [], files: [] }, { replace: true });
}

/** Move the view so that all of `elements` are seen. */
export function showAll(api: ExcalidrawImperativeAPI, elements: readonly ExcalidrawElement[]): void {
  if (elements.length === 0) return;
  const { appState } = zoomToFitBounds({
    bounds: getCommonBounds(elements),
    appState: api.getAppState(),
    fitToViewport: true,
    viewportZoomFactor: 0.8,
    maxZoom: 1,
  });
  api.updateScene({ appState, captureUpdate: CaptureUpdateAction.NEVER });
}
