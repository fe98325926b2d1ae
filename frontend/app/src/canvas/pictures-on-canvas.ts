import { CaptureUpdateAction, newElementWith } from '@excalidraw/excalidraw';
import type { ExcalidrawElement, FileId } from '@excalidraw/excalidraw/element/types';
import type { BinaryFileData, DataURL, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { Picture, Pictures } from '../models/pictures.js';

/** Carries pictures between Excalidraw, which keeps them as data URLs, and the session's files. */
export class PicturesOnCanvas {
  private stopObserving: () => void = () => undefined;
  /** Every picture that the editor ever had: it forgets all but a file's own when one is opened. */
  private readonly seen = new Map<string, BinaryFileData>();

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

  /**
   * Send up the pictures that the server lacks, and hold back their elements until it has them.
   *
   * A file or a clipboard brings elements that call their picture saved: it was, elsewhere.
   */
  upload(): void {
    for (const file of Object.values(this.api.getFiles())) {
      const { id, dataURL, mimeType } = file;
      this.seen.set(id, file);
      if (!this.pictures.knows(id)) this.pictures.upload({ id, blob: toBlob(dataURL, mimeType) });
    }
    this.change((element) => this.settled(this.heldBack(element)));
  }

  /** Ask for the pictures that the canvas names and we do not have. */
  fetchMissing(): void {
    const files = this.api.getFiles();
    for (const element of this.api.getSceneElements()) {
      if (element.type !== 'image' || element.fileId === null || element.fileId in files) continue;
      const file = this.seen.get(element.fileId);
      if (file === undefined) this.pictures.want(element.fileId);
      else this.api.addFiles([file]);
    }
  }

  /** An element whose picture has gone up is ready for the others; one that never will is taken away. */
  private settle(): void {
    this.change((element) => this.settled(element));
  }

  private change(make: (element: ExcalidrawElement) => ExcalidrawElement): void {
    const before = this.api.getSceneElementsIncludingDeleted();
    const elements = before.map(make);
    if (elements.every((element, at) => element === before[at])) return;
    this.api.updateScene({ elements, captureUpdate: CaptureUpdateAction.NEVER });
  }

  private heldBack(element: ExcalidrawElement): ExcalidrawElement {
    if (element.type !== 'image' || element.status === 'pending' || element.fileId === null) return element;
    if (!(element.fileId in this.api.getFiles()) || this.pictures.isSaved(element.fileId)) return element;
    return newElementWith(element, { status: 'pending' });
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
