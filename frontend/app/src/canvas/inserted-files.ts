import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { useEffect } from 'react';
import type { ArrivingImages } from '../models/arriving-images.js';
import { foldersIn } from '../ui/folders.js';
import { observeChosenFiles } from './chosen-files.js';
import { mayBeDrawing, readFile, type Content } from './drawing-files.js';
import { isField } from './press.js';

/** Between two files, so that none lies hidden under another. */
const OFFSET_PX = 32;
/** How long one file may take to appear before the next is handed over. */
const PATIENCE_MS = 2_000;

interface Point {
  x: number;
  y: number;
}

/** Called with a file that is no image. */
export type OnContent = (content: Exclude<Content, { is: 'image' }>, name: string) => void;

interface Handlers {
  onContent: OnContent;
  /** Called with the name of a folder, which is not inserted. */
  onFolder: (name: string) => void;
}

/**
 * Handle the files of a drop or a paste: Excalidraw itself inserts only the first, and
 * replaces the canvas by a drawing without a question.
 */
export function useInsertedFiles(api: ExcalidrawImperativeAPI | null, arriving: ArrivingImages, { onContent, onFolder }: Handlers): void {
  useEffect(() => {
    if (api === null) return;
    const stops = new AbortController();
    const options = { capture: true, signal: stops.signal };
    let pointer: Point | null = null;
    const handle = (event: Event, data: DataTransfer | null, at: Point | null): void => {
      const files = filesFor(event, data);
      if (files === null) return;
      // First of all: the page may be about to be reloaded.
      arriving.keep(files);
      const folders = foldersIn(data);
      if (folders.length === 0 && files.length === 1 && !mayBeDrawing(files[0]!)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (folders.length > 0) onFolder(folders[0]!);
      void insertFiles(api, files.filter(({ name }) => !folders.includes(name)), at, onContent);
    };
    addEventListener('pointermove', ({ clientX, clientY }) => void (pointer = { x: clientX, y: clientY }), { ...options, passive: true });
    addEventListener('drop', (event) => handle(event, event.dataTransfer, { x: event.clientX, y: event.clientY }), options);
    addEventListener('paste', (event) => handle(event, event.clipboardData, pointer), options);
    stops.signal.addEventListener('abort', observeChosenFiles((files) => arriving.keep(files)));
    return () => stops.abort();
  }, [api, arriving, onContent, onFolder]);
}

/** Insert images around a point, one after another; other files go to `onContent`. */
export async function insertFiles(api: ExcalidrawImperativeAPI, files: readonly File[], at: Point | null, onContent: OnContent): Promise<void> {
  const canvas = findCanvas();
  if (canvas === null) return;
  const { x, y } = placeIn(canvas, at);
  let inserted = 0;
  for (const file of files) {
    const content = await readFile(file);
    if (content.is !== 'image') {
      onContent(content, file.name);
      continue;
    }
    // Two insertions at once can overwrite each other's scene.
    await passOn(file, canvas, api, { x: x + inserted * OFFSET_PX, y: y + inserted * OFFSET_PX });
    inserted += 1;
  }
}

/** Events that are for Excalidraw itself. */
const passed = new WeakSet<Event>();

const findCanvas = (): HTMLElement | null => document.querySelector<HTMLElement>('.board canvas.interactive');

/** Return the files of an event on the canvas; null if there are none, or the event is for Excalidraw itself. */
function filesFor(event: Event, data: DataTransfer | null): File[] | null {
  const canvas = findCanvas();
  if (canvas === null || data === null || passed.has(event) || isField(event.target)) return null;
  if (event.type === 'drop' && !(event.target instanceof Node && canvas.closest('.board')?.contains(event.target))) return null;
  const files = [...data.files];
  return files.length === 0 ? null : files;
}

/** Return `point` if it is on the canvas, else the canvas's middle. */
function placeIn(canvas: HTMLElement, point: Point | null): Point {
  const { left, top, right, bottom } = canvas.getBoundingClientRect();
  const isInside = point !== null && point.x >= left && point.x < right && point.y >= top && point.y < bottom;
  return isInside ? point : { x: (left + right) / 2, y: (top + bottom) / 2 };
}

/** Let Excalidraw insert an image; resolves once it is there. */
async function passOn(file: File, canvas: HTMLElement, api: ExcalidrawImperativeAPI, { x, y }: Point): Promise<void> {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(file);
  const drop = new DragEvent('drop', { dataTransfer, clientX: x, clientY: y, bubbles: true, cancelable: true });
  passed.add(drop);
  const appeared = waitForMoreElements(api);
  canvas.dispatchEvent(drop);
  await appeared;
}

/** Resolve once there are more elements than now, or after `PATIENCE_MS`: a file may be refused. */
function waitForMoreElements(api: ExcalidrawImperativeAPI): Promise<void> {
  const before = api.getSceneElements().length;
  return new Promise((resolve) => {
    const done = (): void => {
      stop();
      clearTimeout(timer);
      resolve();
    };
    const stop = api.onChange((elements) => elements.filter(({ isDeleted }) => !isDeleted).length > before && done());
    const timer = setTimeout(done, PATIENCE_MS);
  });
}
