import type { TokenSource } from './tokens.js';
import { upload, type UploadWatch } from './upload.js';

/** What the server answered to a request that it did not carry out. */
export class SessionHttpError extends Error {
  /** `code` is one of docs/protocol.md (*Files, export, deletion*). */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'SessionHttpError';
  }
}

/** A session over HTTP: its files, what can be taken away, its deletion. */
export class SessionHttp {
  private readonly live: () => string;

  /** `live` returns the address that serves the session now: after a move, that of another region. */
  constructor(
    private readonly url: string,
    private readonly sessionId: string,
    private readonly tokens: TokenSource,
    live?: () => string,
  ) {
    this.live = live ?? (() => url);
  }

  /** Resolve if the server would admit a connection; reject with the reason, which a WebSocket hides. */
  async checkAdmission(): Promise<void> {
    await this.ask('POST', '/admission');
  }

  /**
   * Keep a file (4 MiB); name it by its content.
   *
   * Rejects with status 415 for a type that this server does not take: one without the feature
   * `files` takes images only (PNG, JPEG, GIF, WebP, SVG). `watch` hears the progress, and cancels it.
   */
  async putFile(fileId: string, file: Blob, watch?: UploadWatch): Promise<void> {
    await this.ask('PUT', `/files/${fileId}`, file, watch);
  }

  async getFile(fileId: string): Promise<Blob> {
    return (await this.read(`/files/${fileId}`)).blob();
  }

  /** Return the whole chat log as text, or every element of the canvas as JSON. */
  async export(what: 'chat.txt' | 'canvas.json'): Promise<Blob> {
    return (await this.read(`/export/${what}`)).blob();
  }

  /** Delete the session with all that is in it, for all users and for good. */
  async deleteSession(): Promise<void> {
    await this.ask('DELETE', '');
  }

  /** Read from the address that serves; from the first one if a page of it may not read there. */
  private async read(path: string): Promise<Response> {
    try {
      return await this.ask('GET', path);
    } catch (fault) {
      // Without an answer: it is gone, or an earlier version, which lets no page of another origin read.
      if (fault instanceof SessionHttpError || this.live() === this.url) throw fault;
      return this.ask('GET', path, undefined, undefined, this.url);
    }
  }

  private async ask(method: string, path: string, body?: Blob, watch?: UploadWatch, address = this.live()): Promise<Response> {
    const token = await this.tokens.take();
    const headers = {
      ...(body && { 'content-type': body.type }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const url = `${address.replace(/^ws/, 'http')}/sessions/${this.sessionId}${path}`;
    const response =
      body && watch ? await upload(method, url, headers, body, watch) : await fetch(url, { method, headers, ...(body && { body }) });
    if (!response.ok) throw await readError(response);
    return response;
  }
}

async function readError(response: Response): Promise<SessionHttpError> {
  try {
    const { code, message } = (await response.json()) as { code: string; message: string };
    return new SessionHttpError(response.status, code, message);
  } catch {
    return new SessionHttpError(response.status, 'unknown', `the server answered ${response.status}`);
  }
}
