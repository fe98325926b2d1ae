import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { IsshoniClient } from '@isshoni/client';

/** Save the canvas as an image. */
export async function savePicture(editor: ExcalidrawImperativeAPI, name: string, format: 'png' | 'svg'): Promise<void> {
  const { exportCanvas } = await import('../canvas/export.js');
  save(await exportCanvas(editor, format), `${name}.${format}`);
}

/** Save the canvas as a file that Excalidraw opens. */
export async function saveJson(editor: ExcalidrawImperativeAPI, name: string): Promise<void> {
  const { exportCanvas } = await import('../canvas/export.js');
  save(await exportCanvas(editor, 'json'), `${name}.excalidraw`);
}

/** Save the whole chat as text; only the server has all of it. */
export async function saveChat({ http, sessionId }: IsshoniClient): Promise<void> {
  save(await http.export('chat.txt'), `${sessionId}.txt`);
}

function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // A download that has begun no longer needs the URL.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
