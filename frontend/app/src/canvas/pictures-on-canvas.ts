import { CaptureUpdateAction, newElementWith } from '@excalidraw/excalidraw';
import type { ExcalidrawElement, FileId } from '@excalidraw/excalidraw/element/types';
import type { BinaryFileData, DataURL, ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { ArrivingImages } from '../models/arriving-images.js';
import type { KeptPicture, KeptPictures } from '../models/kept-pictures.js';
import type { Picture, Pictures } from '../models/pictures.js';
import { insertFiles } from './inserted-files.js';

/** Transfers images between Excalidraw, which has them as data URLs, and the session's files. */
export class PicturesOnCanvas {
  private stopObserving: () => void = () => undefined;
  private isReported = false;
  /** Every image that the editor has had: opening a file removes the others from the editor. */
  private readonly seen = new Map<string, BinaryFileData>();
  /** The images whose elements went to the document after the server had them, or refused them. */
  private settledIds: readonly string[] = [];

  constructor(
    private readonly api: ExcalidrawImperativeAPI,
    private readonly pictures: Pictures,
    private readonly kept: KeptPictures,
    private readonly arriving: ArrivingImages,
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
    if (this.pictures.unsaved > 0) this.keepUnsaved();
    else this.isReported = false;
    if (!this.arriving.isEmpty) void this.kept.stored().then(() => this.arriving.settle(this.onCanvas()));
  }

  /** Show the images again that an earlier page of this browser could not upload. */
  async restore(): Promise<void> {
    const { pictures, expired } = await this.kept.takeOver();
    if (expired > 0) this.pictures.report('expired');
    if (pictures.length > 0) this.show(pictures);
    const files = await this.arriving.takeOver(() => this.onCanvas());
    if (files.length > 0) await insertFiles(this.api, files, null, () => undefined);
  }

  private show(pictures: readonly KeptPicture[]): void {
    const files = pictures.map(({ file }) => file as BinaryFileData);
    const here = this.api.getSceneElementsIncludingDeleted();
    const known = new Set(here.map(({ id }) => id));
    const elements = pictures.flatMap((picture) => picture.elements as ExcalidrawElement[]).filter(({ id }) => !known.has(id));
    this.api.addFiles(files);
    this.api.updateScene({ elements: [...here, ...elements], captureUpdate: CaptureUpdateAction.NEVER });
    this.upload();
  }

  /** Return the ids of the images of all elements, deleted ones too. */
  private onCanvas(): ReadonlySet<string> {
    return new Set(this.api.getSceneElementsIncludingDeleted().flatMap((element) => (element.type === 'image' && element.fileId !== null ? [element.fileId] : [])));
  }

  /** Keep the images that are not uploaded yet, with their elements as they are now, over a reload. */
  private keepUnsaved(): void {
    const files = this.api.getFiles();
    for (const id of this.pictures.unsavedIds()) {
      const elements = this.api.getSceneElements().filter((element) => element.type === 'image' && element.fileId === id);
      const file = files[id];
      if (file === undefined || elements.length === 0) this.kept.forget(id);
      else if (!this.kept.keep(id, elements.map((element) => element.versionNonce).join(), { file, elements })) this.reportNotKept();
    }
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

  /** Report once that a reload would lose images; again only after all were saved. */
  private reportNotKept(): void {
    if (!this.isReported) this.pictures.report('notKept');
    this.isReported = true;
  }

  /** Mark elements whose image was uploaded as saved; remove those whose image was refused. */
  private settle(): void {
    this.change((element) => this.settled(element));
  }

  /** The document has all elements as they are now. */
  notePushed(): void {
    this.settledIds = [...this.seen.keys()].filter((id) => this.pictures.isSaved(id) || this.pictures.isRefused(id));
  }

  /**
   * Everything of the document is at the server: forget the images of what it has.
   *
   * Not as soon as the image is there: its element follows later, and the page may end in between.
   */
  noteSaved(): void {
    for (const id of this.settledIds) this.kept.forget(id);
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
