import { MAX_FILES, SessionHttpError, type ChatFile, type IsshoniClient } from '@isshoni/client';
import { Observable } from '../observable.js';

/** What a server takes unless its operator says otherwise. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

export type UploadFault = 'tooLarge' | 'full' | 'notAllowed' | 'failed';

/** A file that is to go with the next message. */
export interface Upload {
  readonly file: File;
  state: 'uploading' | 'done' | UploadFault;
  /** How much of it the server has: 0 to 1. */
  part: number;
  id: string;
  readonly abort: AbortController;
}

/** The files of the message that is being written. They are in this page only until it is sent. */
export class Uploads extends Observable {
  /** How many files were left out, because a message takes no more. */
  leftOut = 0;
  /** The name of a folder that was dropped, which is not uploaded; empty if there was none. */
  folder = '';
  private list: Upload[] = [];
  /** What is done once all files are at the server; null while nothing waits for them. */
  private awaiting: (() => void) | null = null;

  constructor(private readonly http: Pick<IsshoniClient['http'], 'putFile'>) {
    super();
  }

  get files(): readonly Upload[] {
    return this.list;
  }

  /** True if all of them are at the server. */
  get areReady(): boolean {
    return this.list.every(({ state }) => state === 'done');
  }

  /** True if some are on their way to the server, and none has failed. */
  get areComing(): boolean {
    return !this.areReady && this.list.every(({ state }) => state === 'done' || state === 'uploading');
  }

  /** True if something is done once all are at the server. */
  get areAwaited(): boolean {
    return this.awaiting !== null;
  }

  /** Call `action` once all are at the server; not if one fails, is left out, or `forget` is called before. */
  whenReady(action: () => void): void {
    this.awaiting = action;
    this.changed();
  }

  /** Do nothing when they are at the server. */
  forget(): void {
    if (this.awaiting === null) return;
    this.awaiting = null;
    this.changed();
  }

  /** Upload files, up to as many as a message takes, but no folders. */
  add(all: readonly File[], folders: readonly string[] = []): void {
    const files = all.filter(({ name }) => !folders.includes(name));
    this.folder = folders[0] ?? '';
    const taken = files.slice(0, MAX_FILES - this.list.length);
    this.leftOut = files.length - taken.length;
    for (const file of taken) {
      const upload: Upload = { file, state: 'uploading', part: 0, id: '', abort: new AbortController() };
      this.list.push(upload);
      void this.send(upload);
    }
    this.changed();
  }

  /** Upload again what failed. */
  retry(upload: Upload): void {
    upload.state = 'uploading';
    this.changed();
    void this.send(upload);
  }

  /** Leave a file out, whether it is uploaded or not. */
  remove(upload: Upload): void {
    upload.abort.abort();
    this.list = this.list.filter((other) => other !== upload);
    this.awaiting = null;
    this.leftOut = 0;
    this.folder = '';
    this.changed();
  }

  /** Return the files as a message names them, and begin with none. */
  take(): ChatFile[] {
    const files = this.list.map(({ id, file: { name, type, size } }) => ({ id, name: nameOf(name), type: type.slice(0, 127), bytes: size }));
    this.list = [];
    this.awaiting = null;
    this.leftOut = 0;
    this.folder = '';
    this.changed();
    return files;
  }

  private async send(upload: Upload): Promise<void> {
    const { file, abort } = upload;
    try {
      if (file.size > MAX_FILE_BYTES) upload.state = 'tooLarge';
      else {
        upload.id = await idOf(file);
        await this.http.putFile(upload.id, file, {
          signal: abort.signal,
          onProgress: (part) => {
            upload.part = part;
            this.changed();
          },
        });
        upload.state = 'done';
      }
    } catch (fault) {
      upload.state = faultOf(fault);
    }
    this.settle();
    this.changed();
  }

  private settle(): void {
    const { awaiting } = this;
    if (this.areComing) return;
    this.awaiting = null;
    if (this.areReady) awaiting?.();
  }
}

const LONGEST_NAME = 255;

const nameOf = (name: string): string => [...name.replace(/\p{Surrogate}/gu, '\uFFFD')].slice(0, LONGEST_NAME).join('') || 'file';

function faultOf(fault: unknown): UploadFault {
  if (!(fault instanceof SessionHttpError)) return 'failed';
  if (fault.status === 413) return 'tooLarge';
  if (fault.status === 507) return 'full';
  return fault.status === 415 ? 'notAllowed' : 'failed';
}

const ID_BYTES = 20;

/** Name a file by its content, where the browser can; a file of that name is then there already. */
async function idOf(file: File): Promise<string> {
  // Pages of plain HTTP have no digests.
  const { subtle } = crypto as Partial<Crypto>;
  const bytes =
    subtle === undefined
      ? crypto.getRandomValues(new Uint8Array(ID_BYTES))
      : new Uint8Array(await subtle.digest('SHA-256', await file.arrayBuffer())).subarray(0, ID_BYTES);
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
