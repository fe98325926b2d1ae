import { CaptureUpdateAction, newElementWith } from '@excalidraw/excalidraw';
import type { ExcalidrawElement, FileId } from '@excalidraw/excalidraw/element/types';
import type { BinaryFileData, DataURL, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { Picture, Pictures } from '../models/pictures.js';

/** Transfers images between Excalidraw, which has them as data URLs, and the session's files. */
export class PicturesOnCanvas {
  private stopObserving: () => void = () => undefined;
  /** Every image that the editor has had: opening a file removes the others from the editor. */
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
   * Upload the images that the server lacks, and mark their elements as pending until it has them.
   *
   * Elements from a file or the clipboard say that their image is saved: that was elsewhere.
   */
  upload(): void {
    for (const file of Object.values(this.api.getFiles())) {
      const { id, dataURL, mimeType } = file;
      this.seen.set(id, file);
      if (!this.pictures.knows(id)) this.pictures.upload({ id, blob: toBlob(dataURL, mimeType) });
    }
    this.change((element) => this.settled(this.heldBack(element)));
  }

  /** Download the images of elements on the canvas that are not here. */
  fetchMissing(): void {
    const files = this.api.getFiles();
    for (const element of this.api.getSceneElements()) {
      if (element.type !== 'image' || element.fileId === null || element.fileId in files) continue;
      const file = this.seen.get(element.fileId);
      if (file === undefined) this.pictures.want(element.fileId);
      else this.api.addFiles([file]);
    }
  }

  /** Mark elements whose image was uploaded as saved; remove those whose image was refused. */
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
