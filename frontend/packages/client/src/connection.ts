import { readWaitMs } from './backoff.js';
import { CanvasSync, type CanvasReplica } from './canvas-sync.js';
import { CLOSE } from './close-codes.js';
import { Heartbeat } from './heartbeat.js';
import { parseFrame, type Inbound, type Position } from './messages.js';
import type { ClientEvents } from './options.js';

/** The code reported for a socket that fell silent or never got through. */
export const ABNORMAL = 1006;

export interface ConnectionHandlers {
  opened: (connection: Connection) => void;
  message: (connection: Connection, message: Inbound) => void;
  /** The canvas now holds what the server had when we asked. */
  synced: () => void;
  /** A canvas frame was applied. */
  canvas: (connection: Connection) => void;
  /** Called when a change to the canvas cannot be sent. */
  refused: (refusal: ClientEvents['canvas_refused']) => void;
  lost: (connection: Connection, code: number) => void;
}

export interface ConnectionOptions {
  /** Counts the connections of this client since it was made. */
  number: number;
  /** Greater than that of every earlier connection of this client_id. */
  generation: number;
  address: string;
  path: string;
  WebSocket: typeof WebSocket;
  replica: CanvasReplica;
  origin: unknown;
  /** How long the address may take to accept the connection. */
  openTimeoutMs: number;
  restoreTimeoutMs: number;
  /** True if the server has not acknowledged everything that was sent. */
  isOwed: () => boolean;
}

/**
 * One WebSocket. Reports `lost` once; after `release` it reports nothing, so a late
 * event of an old socket cannot touch the session that has moved on.
 */
export class Connection {
  readonly canvas: CanvasSync;
  readonly number: number;
  readonly generation: number;
  readonly address: string;
  /** The position that the last restore was asked from. */
  asked: Position | null = null;
  /** The log that this connection is restored in. */
  epoch = '';
  private readonly socket: WebSocket;
  private readonly heartbeat: Heartbeat;
  private restoreTimer: ReturnType<typeof setTimeout> | undefined;
  private released = false;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly handlers: ConnectionHandlers,
  ) {
    this.number = options.number;
    this.generation = options.generation;
    this.address = options.address;
    this.socket = new options.WebSocket(options.address + options.path);
    this.socket.binaryType = 'arraybuffer';
    this.canvas = new CanvasSync(
      options.replica,
      options.origin,
      (frame) => this.transmit(frame),
      () => this.handlers.synced(),
      (refusal) => this.handlers.refused(refusal),
      () => this.heartbeat.expect(),
    );
    this.heartbeat = new Heartbeat(
      () => this.send({ type: 'ping' }),
      () => this.fail(ABNORMAL),
      options.isOwed,
    );
    this.startRestoreTimer(options.openTimeoutMs);
    this.listen();
  }

  send(message: object): void {
    this.transmit(JSON.stringify(message));
  }

  /** Send a request that is answered at once; without an answer, ping the server soon. */
  ask(message: object): void {
    this.send(message);
    this.heartbeat.expect();
  }

  /**
   * Ask for the restore again, at the time that the server named or else after a pause.
   *
   * Until a time that it named, the silence of the server does not end the connection.
   */
  askAgain(retryAfterMs: number | undefined, pauseMs: number): void {
    const ask = (): void => this.handlers.opened(this);
    if (retryAfterMs === undefined) {
      setTimeout(() => this.released || ask(), pauseMs);
      return;
    }
    clearTimeout(this.restoreTimer);
    this.restoreTimer = setTimeout(() => {
      this.startRestoreTimer();
      ask();
    }, readWaitMs(retryAfterMs));
  }

  /** Begin the heartbeat, once the session is restored here: silence then means a dead socket. */
  hold(heartbeatSeconds: number): void {
    clearTimeout(this.restoreTimer);
    this.heartbeat.start(heartbeatSeconds * 1000);
  }

  /** Find out whether the socket is still alive: within 5 seconds, or `patienceMs`. */
  probe(patienceMs?: number): void {
    this.heartbeat.probe(patienceMs);
  }

  /** Close without a report; what was already sent still reaches the server. */
  release(): void {
    this.released = true;
    clearTimeout(this.restoreTimer);
    this.heartbeat.stop();
    this.socket.close(CLOSE.normal);
  }

  /** End the connection: what the server sent makes it useless. */
  abandon(): void {
    this.fail(ABNORMAL);
  }

  /**
   * End the connection and report it lost now: the close event of a socket whose
   * network is gone may take a minute to come.
   */
  fail(code: number): void {
    if (this.released) return;
    this.release();
    this.handlers.lost(this, code);
  }

  private startRestoreTimer(timeoutMs = this.options.restoreTimeoutMs): void {
    clearTimeout(this.restoreTimer);
    this.restoreTimer = setTimeout(() => this.fail(ABNORMAL), timeoutMs);
  }

  private transmit(frame: string | Uint8Array): void {
    if (this.socket.readyState === this.socket.OPEN) this.socket.send(frame);
  }

  private listen(): void {
    this.socket.onopen = () => {
      if (this.released) return;
      if (this.options.openTimeoutMs < this.options.restoreTimeoutMs) this.startRestoreTimer();
      this.handlers.opened(this);
    };
    this.socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (!this.released) this.receive(data);
    };
    this.socket.onclose = ({ code }) => this.fail(code);
    // An error is always followed by a close; without a listener Node would throw.
    this.socket.onerror = () => undefined;
  }

  private receive(data: unknown): void {
    this.heartbeat.heard();
    if (typeof data === 'string') {
      for (const message of parseFrame(data)) this.handlers.message(this, message);
    } else if (data instanceof ArrayBuffer) this.receiveCanvas(new Uint8Array(data));
  }

  private receiveCanvas(frame: Uint8Array): void {
    try {
      this.canvas.receive(frame);
      this.handlers.canvas(this);
    } catch (fault) {
      console.warn('isshoni: a canvas frame could not be read', fault);
    }
  }
}
