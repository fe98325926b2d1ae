/** What follows an upload on its way. */
export interface UploadWatch {
  /** Cancels the upload, which then rejects. */
  signal?: AbortSignal;
  /** Called with how much was sent: 0 to 1. */
  onProgress?: (part: number) => void;
}

/** Send a body as `fetch` does, but with progress: only XMLHttpRequest reports it. */
export function upload(
  method: string,
  url: string,
  headers: Record<string, string>,
  body: Blob,
  { signal, onProgress }: UploadWatch,
): Promise<Response> {
  // Outside of a browser nothing reports progress.
  if (typeof XMLHttpRequest === 'undefined') return fetch(url, { method, headers, body, ...(signal && { signal }) });
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const cancel = (): void => request.abort();
    const fail = (reason: string) => (): void => reject(new TypeError(reason));
    if (signal?.aborted) return fail('the upload was cancelled')();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(total > 0 ? loaded / total : 0);
    request.onload = () => resolve(toResponse(request));
    request.onerror = fail('the upload failed');
    request.onabort = fail('the upload was cancelled');
    request.onloadend = () => signal?.removeEventListener('abort', cancel);
    signal?.addEventListener('abort', cancel);
    request.send(body);
  });
}

function toResponse({ status, responseText }: XMLHttpRequest): Response {
  const isEmpty = status === 204 || status === 205 || status === 304;
  return new Response(isEmpty ? null : responseText, { status });
}
