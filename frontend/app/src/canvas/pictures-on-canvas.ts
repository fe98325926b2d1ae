import { CaptureUpdateAction, newElementWith } from '@excalidraw/excalidraw';
import type { ExcalidrawElement, FileId } from '@excalidraw/excalidraw/element/types';
import type { BinaryFileData, BinaryFiles, DataURL, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { Picture, Pictures } from '../models/pictures.js';

/** Carries pictures between Excalidraw, which keeps them as data URLs, and the session's files. */
export class PicturesOnCanvas {
  private stopObserving: () => void = () => undefined;

  constructor(
    private readonly api: ExcalidrawImperativeAPI,
    private readonly pictures: Pictures,
  ) {}

  start(): void {
    this.pictures.received = (picture) => void this.add(picture);
    this.stopObserving = this.pictures.observe(() => this.settle());
  }

  stop(): void {
    this.stopObserving();
    this.pictures.received = () => undefined;
  }

  upload(files: BinaryFiles): void {
    for (const { id, dataURL, mimeType } of Object.values(files)) {
      if (!this.pictures.knows(id)) this.pictures.upload({ id, blob: toBlob(dataURL, mimeType) });
    }
  }

  /** Ask for the pictures that the canvas names and we do not have. */
  fetchMissing(): void {
    const files = this.api.getFiles();
    for (const element of this.api.getSceneElements()) {
      if (element.type === 'image' && element.fileId !== null && !(element.fileId in files)) {
        this.pictures.want(element.fileId);
      }
    }
  }

  /** An element whose picture has gone up is ready for the others; one that never will is taken away. */
  private settle(): void {
    const elements = this.api.getSceneElementsIncludingDeleted();
    const settled = elements.map((element) => this.settled(element));
    if (settled.every((element, at) => element === elements[at])) return;
    this.api.updateScene({ elements: settled, captureUpdate: CaptureUpdateAction.NEVER });
  }

  private settled(element: ExcalidrawElement): ExcalidrawElement {
    if (element.type !== 'image' || element.status !== 'pending' || element.fileId === null) return element;
    if (this.pictures.isSaved(element.fileId)) return newElementWith(element, { status: 'saved' });
    if (this.pictures.isRefused(element.fileId)) return newElementWith(element, { isDeleted: true });
    return element;
  }

  private async add({ id, blob }: Picture): Promise<void> {
    const dataURL = await toDataUrl(blob);
    const mimeType = blob.type as BinaryFileData['mimeType'];
    this.api.addFiles([{ id: id as FileId, dataURL, mimeType, created: Date.now() }]);
  }
}

function toBlob(dataUrl: string, type: string): Blob {
  const [head, body] = [dataUrl.slice(0, dataUrl.indexOf(',')), dataUrl.slice(dataUrl.indexOf(',') + 1)];
  const bytes = head.endsWith(';base64') ? atob(body) : decodeURIComponent(body);
  return new Blob([Uint8Array.from(bytes, (character) => character.charCodeAt(0))], { type });
}

function toDataUrl(blob: Blob): Promise<DataURL> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as DataURL);
    reader.onerror = () => reject(new Error('the picture could not be read'));
    reader.readAsDataURL(blob);
  });
}
