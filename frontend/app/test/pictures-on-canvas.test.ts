import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { expect, test, vi } from 'vitest';
import { PicturesOnCanvas } from '../src/canvas/pictures-on-canvas.js';
import type { ArrivingImages } from '../src/models/arriving-images.js';
import { KeptPictures } from '../src/models/kept-pictures.js';
import { Pictures } from '../src/models/pictures.js';

vi.mock('@excalidraw/excalidraw', () => ({
  CaptureUpdateAction: { NEVER: 'never' },
  newElementWith: (element: object, changes: object) => ({ ...element, ...changes }),
}));

vi.stubGlobal('navigator', {});

const FILE = { id: 'one', mimeType: 'image/png', dataURL: 'data:image/png;base64,AA==' };

/** An editor with one image, and the records that this browser keeps of it. */
function canvasWithImage(): { canvas: PicturesOnCanvas; uploaded: () => Promise<void>; kept: Map<string, unknown> } {
  let elements: object[] = [{ id: 'e', type: 'image', fileId: 'one', status: 'saved', versionNonce: 1 }];
  const api = {
    getFiles: () => ({ one: FILE }),
    getSceneElements: () => elements,
    getSceneElementsIncludingDeleted: () => elements,
    updateScene: (scene: { elements: object[] }) => void (elements = scene.elements),
  } as unknown as ExcalidrawImperativeAPI;
  let answer: () => void = () => undefined;
  const putFile = (): Promise<void> => new Promise((resolve) => (answer = resolve));
  const pictures = new Pictures({ on: () => () => undefined, http: { putFile } } as never);
  const kept = new Map<string, unknown>();
  const records = {
    put: (record: { id: string }) => Promise.resolve(Boolean(kept.set(record.id, record))),
    delete: (_space: string, id: string) => Promise.resolve(void kept.delete(id)),
  };
  const canvas = new PicturesOnCanvas(api, pictures, new KeptPictures('space', records as never), { isEmpty: true } as ArrivingImages);
  canvas.start();
  const uploaded = async (): Promise<void> => {
    answer();
    await vi.waitFor(() => expect(pictures.isSaved('one')).toBe(true));
  };
  return { canvas, uploaded, kept };
}

test('an image is kept until its element is at the server, not only the image', async () => {
  const { canvas, uploaded, kept } = canvasWithImage();
  canvas.upload();
  canvas.notePushed();
  canvas.noteSaved();
  expect(kept.has('one')).toBe(true);
  await uploaded();
  // Saved until now is what was pushed before: not yet the element of the image.
  canvas.noteSaved();
  expect(kept.has('one')).toBe(true);
  canvas.notePushed();
  expect(kept.has('one')).toBe(true);
  canvas.noteSaved();
  expect(kept.has('one')).toBe(false);
});
