import { SessionHttpError, type IsshoniClient } from '@isshoni/client';
import { Observable } from '../observable.js';

export const MAX_PICTURE_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 2_000;

/** An image on the canvas: the element has its id, the session stores its bytes. */
export interface Picture {
  id: string;
  blob: Blob;
}

/** Why the server refuses an image for good, or why this browser lost or may lose one that is not uploaded. */
export type PictureFault = 'tooLarge' | 'refused' | 'expired' | 'notKept';

/** The session's images: uploads those added here, downloads those of others. */
export class Pictures extends Observable {
  fault: PictureFault | null = null;
  private readonly saved = new Set<string>();
  private readonly refused = new Set<string>();
  /** Images that the server did not have when asked; another client may still upload them. */
  private readonly missing = new Set<string>();
  private readonly pending = new Map<string, Blob>();
  private readonly wanted = new Set<string>();
  private working = false;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly client: Pick<IsshoniClient, 'on' | 'http'>) {
    super();
    client.on('status', ({ status }) => {
      if (status === 'restored') void this.work();
    });
  }

  /** Called with each downloaded image. */
  received: (picture: Picture) => void = () => undefined;

  /** The number of images that are not uploaded yet. */
  get unsaved(): number {
    return this.pending.size;
  }

  /** Return the ids of the images that are not uploaded yet. */
  unsavedIds(): string[] {
    return [...this.pending.keys()];
  }

  /** True if the server has an image. */
  isSaved(id: string): boolean {
    return this.saved.has(id);
  }

  /** True if the server has refused an image for good. */
  isRefused(id: string): boolean {
    return this.refused.has(id);
  }

  /** True if an image was downloaded or uploaded, is being uploaded, or was refused for good. */
  knows(id: string): boolean {
    return this.saved.has(id) || this.refused.has(id) || this.pending.has(id);
  }

  /** Upload an image, unless the session has it. */
  upload({ id, blob }: Picture): void {
    if (this.knows(id)) return;
    if (blob.size > MAX_PICTURE_BYTES) return this.giveUp(id, 'tooLarge');
    this.pending.set(id, blob);
    this.changed();
    void this.work();
  }

  /** Download an image, unless it is here. */
  want(id: string): void {
    if (this.knows(id) || this.missing.has(id) || this.wanted.has(id)) return;
    this.wanted.add(id);
    void this.work();
  }

  /** Show what became of an image. */
  report(fault: PictureFault): void {
    if (this.fault === fault) return;
    this.fault = fault;
    this.changed();
  }

  dismissFault(): void {
    this.fault = null;
    this.changed();
  }

  /** Upload and download one by one; retry what failed after two seconds. */
  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    clearTimeout(this.retryTimer);
    for (const [id, blob] of this.pending) await this.send(id, blob);
    for (const id of this.wanted) await this.fetch(id);
    this.working = false;
    if (this.pending.size + this.wanted.size > 0) this.retryTimer = setTimeout(() => void this.work(), RETRY_MS);
  }

  private async send(id: string, blob: Blob): Promise<void> {
    try {
      await this.client.http.putFile(id, blob);
    } catch (fault) {
      if (isFinal(fault)) this.giveUp(id, fault.status === 413 ? 'tooLarge' : 'refused');
      return;
    }
    this.pending.delete(id);
    this.saved.add(id);
    this.changed();
  }

  private async fetch(id: string): Promise<void> {
    try {
      const blob = await this.client.http.getFile(id);
      this.saved.add(id);
      this.received({ id, blob });
    } catch (fault) {
      // An element may have the id of an image that was never uploaded.
      if (!isFinal(fault)) return;
      this.missing.add(id);
    }
    this.wanted.delete(id);
  }

  private giveUp(id: string, fault: PictureFault): void {
    this.pending.delete(id);
    this.refused.add(id);
    this.fault = fault;
    this.changed();
  }
}

/** True for an answer that would be the same at a retry; false if there was no answer. */
function isFinal(fault: unknown): fault is SessionHttpError {
  return fault instanceof SessionHttpError && fault.status < 500 && ![408, 429].includes(fault.status);
}
