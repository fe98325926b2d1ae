import { BrowserRecords } from './browser-records.js';
import { KEEP_MS, lock, MOST_KEPT } from './kept-pictures.js';
import { MAX_PICTURE_BYTES } from './pictures.js';

/** An image as it was pasted or dropped, which the canvas has not read yet. */
interface ArrivingImage {
  space: string;
  id: string;
  /** The tab that inserts it. */
  tab: string;
  at: number;
  file: File;
  /** True for one that an earlier page left, and this one inserts: it is not tried a third time. */
  again?: boolean;
}

/**
 * Keeps images from the moment of the paste, so that a reload in that moment does not lose them.
 *
 * The editor takes a while to read an image; only then is it kept as a picture with its elements.
 */
export class ArrivingImages {
  private readonly records = new BrowserRecords<ArrivingImage>('arriving');
  /** The digests of the images that are kept here, by the ids of their records. */
  private readonly digests = new Map<string, string | null>();

  constructor(
    private readonly space: string,
    private readonly tab: string,
  ) {}

  get isEmpty(): boolean {
    return this.digests.size === 0;
  }

  /** Keep the images among some files; they are on their way to storage when this returns. */
  keep(files: readonly File[]): void {
    // Without digests, as on an origin that is not secure, it cannot be known later which image is on the canvas.
    if (!('subtle' in crypto)) return;
    for (const file of files) {
      if (!file.type.startsWith('image/') || file.size > MAX_PICTURE_BYTES || this.digests.size >= MOST_KEPT) continue;
      const id = Array.from(crypto.getRandomValues(new Uint32Array(4))).join('-');
      void this.records.put({ space: this.space, id, tab: this.tab, at: Date.now(), file });
      void this.expect(id, file);
    }
  }

  /** Forget the images whose digest is one of these: the canvas has them. */
  settle(onCanvas: ReadonlySet<string>): void {
    for (const [id, digest] of this.digests) if (digest !== null && onCanvas.has(digest)) this.forget(id);
  }

  /** Return the images that pages which have ended did not insert, except those on the canvas. */
  async takeOver(onCanvas: () => ReadonlySet<string>): Promise<File[]> {
    const left = (await this.records.all()).filter(({ space, tab }) => space === this.space && tab !== this.tab);
    const files: File[] = [];
    for (const image of left) {
      const { id, file, at, again = false } = image;
      if (!(await lock(image.tab, () => this.records.put({ ...image, tab: this.tab, again: true })))) continue;
      await this.expect(id, file);
      if (again || Date.now() - at >= KEEP_MS) this.forget(id);
      else if (!onCanvas().has(this.digests.get(id) ?? '')) files.push(file);
    }
    this.settle(onCanvas());
    return files;
  }

  private async expect(id: string, file: File): Promise<void> {
    this.digests.set(id, null);
    const digest = await digestOf(file).catch(() => null);
    if (digest === null) this.forget(id);
    else if (this.digests.has(id)) this.digests.set(id, digest);
  }

  private forget(id: string): void {
    if (this.digests.delete(id)) void this.records.delete(this.space, id);
  }
}

/** Return the id that the editor gives an image: the SHA-1 of its file. */
async function digestOf(file: File): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-1', await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
