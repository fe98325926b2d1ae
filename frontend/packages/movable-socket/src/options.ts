export type Sendable = string | ArrayBufferLike | Blob | ArrayBufferView<ArrayBufferLike>;

export interface MoveOutcome {
  /** The target that the server named. */
  to: string;
  /** False if the socket stayed where it was. */
  moved: boolean;
  /** Why it stayed; empty after a move. */
  reason: string;
}

export interface MovableOptions {
  /** The class that connects; that of the browser by default. In Node, the class of `ws` will do. */
  WebSocket?: new (url: string | URL, protocols?: string | string[]) => WebSocket;
  /** What the new server is sent first: the first N messages of the application, or what this returns. */
  preamble?: number | ((to: string) => Sendable[]);
  /**
   * True for the message by which the new server says that it is ready. It, and what came before it, answer
   * the preamble, and are not shown to the application. Without it, an open connection is ready. With `hello`
   * it is the answer to that: the preamble is sent once it came.
   */
  ready?: (data: unknown) => boolean;
  /**
   * How a message that both servers deliver is recognised: by its content (true, the default), by the key
   * that this returns (null: it is never a repeat), or not at all (false).
   */
  dedupe?: boolean | ((data: unknown) => string | null);
  /** Called after a move, before messages that waited for it are sent; and after a failed one. */
  onMove?: (outcome: MoveOutcome) => void;
  /** What each connection is sent first, also the first one, before anything of the application. */
  hello?: (url: string) => Sendable[];
  /** True for a message that the application is never shown, such as the answer to `hello`. */
  hidden?: (data: unknown) => boolean;
  /** The code that closes the old connection after a move; 1000 by default. */
  leaveCode?: number;
  /** The switch waits until nothing was sent or received for so long. */
  quietMs?: number;
}

export interface Migrate {
  to: string;
  ticket: string;
  within_ms?: unknown;
}

/** Return the order to move that a message is, or null for a message of the application. */
export function readMigrate(data: unknown): Migrate | null {
  if (typeof data !== 'string' || !data.startsWith('{') || !data.includes('"migrate"')) return null;
  try {
    const frame = JSON.parse(data) as Partial<Migrate> & { type?: unknown };
    const { type, to, ticket } = frame;
    return type === 'migrate' && typeof to === 'string' && typeof ticket === 'string' ? { ...frame, to, ticket } : null;
  } catch {
    return null;
  }
}
