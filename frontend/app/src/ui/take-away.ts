import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { IsshoniClient } from '@isshoni/client';
import { saveBlob } from './save-blob.js';

/** Save the canvas as an image. */
export async function savePicture(editor: ExcalidrawImperativeAPI, name: string, format: 'png' | 'svg'): Promise<void> {
  const { exportCanvas } = await import('../canvas/export.js');
  saveBlob(await exportCanvas(editor, format), `${name}.${format}`);
}

/** Save the canvas as a file that Excalidraw opens. */
export async function saveJson(editor: ExcalidrawImperativeAPI, name: string): Promise<void> {
  const { exportCanvas } = await import('../canvas/export.js');
  saveBlob(await exportCanvas(editor, 'json'), `${name}.excalidraw`);
}

/** Save the whole chat as text; only the server has all of it. */
export async function saveChat({ http, sessionId }: IsshoniClient): Promise<void> {
  saveBlob(await http.export('chat.txt'), `${sessionId}.txt`);
}
