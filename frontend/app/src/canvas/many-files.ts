import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { useEffect } from 'react';
import { isField } from './press.js';

/** Between two files, so that none lies hidden under another. */
const OFFSET_PX = 32;
/** How long one file may take to appear before the next is handed over. */
const PATIENCE_MS = 2_000;

interface Point {
  x: number;
  y: number;
}

/** Insert every file of a drop or a paste: Excalidraw itself inserts only the first. */
export function useManyFiles(api: ExcalidrawImperativeAPI | null): void {
  useEffect(() => {
    if (api === null) return;
    const stops = new AbortController();
    const options = { capture: true, signal: stops.signal };
    let pointer: Point | null = null;
    addEventListener('pointermove', ({ clientX, clientY }) => void (pointer = { x: clientX, y: clientY }), { ...options, passive: true });
    addEventListener('drop', (event) => takeOver(event, event.dataTransfer, api, { x: event.clientX, y: event.clientY }), options);
    addEventListener('paste', (event) => takeOver(event, event.clipboardData, api, pointer), options);
    return () => stops.abort();
  }, [api]);
}

function takeOver(event: Event, data: DataTransfer | null, api: ExcalidrawImperativeAPI, at: Point | null): void {
  const canvas = document.querySelector<HTMLElement>('.board canvas.interactive');
  if (canvas === null || data === null || data.files.length < 2 || isField(event.target)) return;
  if (event.type === 'drop' && !(event.target instanceof Node && canvas.closest('.board')?.contains(event.target))) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  void dropEach([...data.files], canvas, api, placeIn(canvas, at));
}

/** Return `point` if it is on the canvas, else the canvas's middle. */
function placeIn(canvas: HTMLElement, point: Point | null): Point {
  const { left, top, right, bottom } = canvas.getBoundingClientRect();
  const isInside = point !== null && point.x >= left && point.x < right && point.y >= top && point.y < bottom;
  return isInside ? point : { x: (left + right) / 2, y: (top + bottom) / 2 };
}

/** Drop the files one after another: two insertions at once can overwrite each other's scene. */
async function dropEach(files: File[], canvas: HTMLElement, api: ExcalidrawImperativeAPI, { x, y }: Point): Promise<void> {
  for (const [at, file] of files.entries()) {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(file);
    const [clientX, clientY] = [x + at * OFFSET_PX, y + at * OFFSET_PX];
    const appeared = waitForMoreElements(api);
    canvas.dispatchEvent(new DragEvent('drop', { dataTransfer, clientX, clientY, bubbles: true, cancelable: true }));
    await appeared;
  }
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
