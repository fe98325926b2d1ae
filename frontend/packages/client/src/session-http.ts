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
  private readonly address: string;

  constructor(
    url: string,
    sessionId: string,
    private readonly tokens: TokenSource,
  ) {
    this.address = `${url.replace(/^ws/, 'http')}/sessions/${sessionId}`;
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
    return (await this.ask('GET', `/files/${fileId}`)).blob();
  }

  /** Return the whole chat log as text, or every element of the canvas as JSON. */
  async export(what: 'chat.txt' | 'canvas.json'): Promise<Blob> {
    return (await this.ask('GET', `/export/${what}`)).blob();
  }

  /** Delete the session with all that is in it, for all users and for good. */
  async deleteSession(): Promise<void> {
    await this.ask('DELETE', '');
  }

  private async ask(method: string, path: string, body?: Blob, watch?: UploadWatch): Promise<Response> {
    const token = await this.tokens.take();
    const headers = {
      ...(body && { 'content-type': body.type }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const url = this.address + path;
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
