type Handler<E> = ((this: WebSocket, event: E) => unknown) | null;

/** An event target with the handler properties of a WebSocket; a new handler takes the place of the one before. */
export class SocketEvents extends EventTarget {
  private readonly handlers = new Map<string, { call: EventListener; listener: EventListener }>();

  private handler(type: string): EventListener | null {
    return this.handlers.get(type)?.call ?? null;
  }

  private setHandler(type: string, value: unknown): void {
    const old = this.handlers.get(type);
    if (typeof value !== 'function') {
      if (old) this.removeEventListener(type, old.listener);
      this.handlers.delete(type);
    } else if (old) {
      old.call = value as EventListener;
    } else {
      const entry = { call: value as EventListener, listener: (event: Event) => entry.call.call(this, event) };
      this.handlers.set(type, entry);
      this.addEventListener(type, entry.listener);
    }
  }

  get onopen(): Handler<Event> {
    return this.handler('open');
  }
  set onopen(value: Handler<Event>) {
    this.setHandler('open', value);
  }
  get onmessage(): Handler<MessageEvent> {
    return this.handler('message');
  }
  set onmessage(value: Handler<MessageEvent>) {
    this.setHandler('message', value);
  }
  get onerror(): Handler<Event> {
    return this.handler('error');
  }
  set onerror(value: Handler<Event>) {
    this.setHandler('error', value);
  }
  get onclose(): Handler<CloseEvent> {
    return this.handler('close');
  }
  set onclose(value: Handler<CloseEvent>) {
    this.setHandler('close', value);
  }
}

const FIELDS = ['data', 'origin', 'lastEventId', 'code', 'reason', 'wasClean', 'error', 'message'];

/** Return an event like the one given, for another target; `data` replaces its data. */
export function copyOf(event: Event, data?: unknown): Event {
  const fields: Record<string, unknown> = {};
  for (const name of FIELDS) if (name in event) fields[name] = (event as unknown as Record<string, unknown>)[name];
  if (data !== undefined) fields.data = data;
  if (event.type === 'message' && typeof MessageEvent !== 'undefined') return new MessageEvent('message', fields);
  if (event.type === 'close' && typeof CloseEvent !== 'undefined') return new CloseEvent('close', fields);
  const copy = new Event(event.type);
  for (const name in fields) Object.defineProperty(copy, name, { value: fields[name], enumerable: true });
  return copy;
}

/** A message that is kept until it can be sent, as it was when the application sent it. */
export function frozen<T>(data: T): T {
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() as T;
  }
  return (data instanceof ArrayBuffer ? data.slice(0) : data) as T;
}

export function sizeOf(data: unknown): number {
  if (typeof data === 'string') return new TextEncoder().encode(data).length;
  const { size, byteLength } = data as { size?: number; byteLength?: number };
  return byteLength ?? size ?? 0;
}
