import { SocketEvents, copyOf, frozen, sizeOf } from './events.js';
import { checkClose, type Move, type Timer } from './move.js';
import { readMigrate, type Migrate, type MovableOptions, type Sendable } from './options.js';
import { Repeats } from './repeats.js';

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3] as const;
const QUIET_MS = 50;
/** After so long without a quiet moment, messages wait for one. */
const BUSY_MS = 1000;
/** The old connection has so long to end, before messages that wait are sent on the new one. */
const LEAVE_MS = 1000;
/** Two servers may deliver the same message so long after the switch. */
const REPEATS_MS = 1000;
const WITHIN_MS = 10_000;

/** A WebSocket whose server may ask it to move; the application sees one connection. */
export class MovableSocket extends SocketEvents implements WebSocket {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = CLOSING;
  static readonly CLOSED = CLOSED;
  readonly CONNECTING = CONNECTING;
  readonly OPEN = OPEN;
  readonly CLOSING = CLOSING;
  readonly CLOSED = CLOSED;

  private current: WebSocket;
  private move: Move | null = null;
  /** The new connection is the current one, and the old one has not ended. */
  private leaving: Move | null = null;
  private held: Sendable[] | null = null;
  private hasEnded = false;
  /** Connections of failed moves: what still comes from them is dropped. */
  private readonly abandoned = new WeakSet<WebSocket>();
  private type: BinaryType;
  private first: Sendable[] = [];
  private busyAt = 0;
  private forget: Timer | undefined;
  private readonly repeats: Repeats;

  constructor(
    url: string | URL,
    private readonly protocols?: string | string[],
    private readonly options: MovableOptions = {},
  ) {
    super();
    this.repeats = new Repeats(options.dedupe);
    this.current = this.connect(url);
    this.url = this.current.url;
    this.type = this.current.binaryType;
    this.binaryType = this.type;
    this.listen(this.current);
  }

  /** Return a class with these options, for a library that makes its sockets itself. */
  static with(options: MovableOptions): typeof MovableSocket {
    return class extends MovableSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols, options);
      }
    };
  }

  readonly url: string;

  get readyState(): number {
    return this.current.readyState;
  }

  get protocol(): string {
    return this.current.protocol;
  }

  get extensions(): string {
    return this.current.extensions;
  }

  get bufferedAmount(): number {
    const held = this.held ?? [];
    return held.reduce((sum, data) => sum + sizeOf(data), this.current.bufferedAmount);
  }

  get binaryType(): BinaryType {
    return this.type;
  }

  set binaryType(value: BinaryType) {
    // The contents of a Blob cannot be compared at once.
    const type = value === 'blob' ? 'arraybuffer' : value;
    this.current.binaryType = type;
    this.type = value;
    if (this.move) this.move.socket.binaryType = type;
  }

  send(data: Sendable): void {
    this.busyAt = Date.now();
    if (this.held !== null && this.readyState === OPEN) this.held.push(frozen(data));
    else this.deliver(data);
  }

  close(code?: number, reason?: string): void {
    if (this.held !== null) checkClose(code, reason);
    this.release();
    if (code === undefined) this.current.close();
    else this.current.close(code, reason);
    this.stay('the application closed the socket');
  }

  private connect(url: string | URL): WebSocket {
    const { WebSocket: Socket = WebSocket } = this.options;
    return this.protocols === undefined ? new Socket(url) : new Socket(url, this.protocols);
  }

  private listen(socket: WebSocket): void {
    socket.addEventListener('open', () => this.opened(socket));
    socket.addEventListener('message', (event) => this.received(socket, event));
    socket.addEventListener('error', (event) => socket === this.current && this.dispatchEvent(copyOf(event)));
    socket.addEventListener('close', (event) => this.closed(socket, event));
  }

  private opened(socket: WebSocket): void {
    const { move } = this;
    if (socket === this.current) {
      this.sayHello(socket);
      this.dispatchEvent(new Event('open'));
    } else if (move?.socket === socket) this.guarded(() => this.greet(move));
  }

  private received(socket: WebSocket, event: MessageEvent): void {
    const { move, leaving } = this;
    if (this.hasEnded || this.abandoned.has(socket)) return;
    if (move?.socket === socket) this.guarded(() => this.receivedEarly(move, event));
    else if (leaving?.socket === socket) leaving.came.push(event);
    else this.show(event, socket === this.current);
  }

  private receivedEarly(move: Move, event: MessageEvent): void {
    const { ready, hello } = this.options;
    if (move.ready) move.came.push(event);
    else if (!ready?.(event.data)) return;
    else if (hello) this.introduce(move);
    else this.becomeReady(move);
  }

  /** Run a step that calls an option; if that throws, the socket stays where it is. */
  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.stay(String(error));
    }
  }

  private show(event: MessageEvent, isCurrent: boolean): void {
    const migrate = readMigrate(event.data);
    if (migrate !== null) {
      if (isCurrent && this.readyState === OPEN) this.begin(migrate);
      return;
    }
    const { data } = event as { data: unknown };
    if (this.options.hidden?.(data)) return;
    this.busyAt = Date.now();
    if (!this.repeats.isNew(data, !isCurrent || this.move !== null)) return;
    this.dispatchEvent(copyOf(event, this.type === 'blob' && data instanceof ArrayBuffer ? new Blob([data]) : data));
  }

  private closed(socket: WebSocket, event: CloseEvent): void {
    if (this.move?.socket === socket) return this.stay(`the new connection was closed with ${event.code}`);
    if (this.leaving?.old === socket) return this.settle();
    if (socket !== this.current) return;
    this.stay('the old connection was lost');
    this.settle();
    this.hasEnded = true;
    clearTimeout(this.forget);
    this.repeats.end();
    this.dispatchEvent(copyOf(event));
  }

  // A move, in the order of its steps.

  private begin({ to, ticket, within_ms }: Migrate): void {
    if (this.move?.to === to) return;
    this.stay(`the server then asked for ${to}`);
    const url = new URL(this.url);
    url.searchParams.set('target', to);
    url.searchParams.set('ticket', ticket);
    let socket: WebSocket;
    try {
      socket = this.connect(url.href);
    } catch (error) {
      this.options.onMove?.({ to, moved: false, reason: String(error) });
      return;
    }
    socket.binaryType = this.current.binaryType;
    const within = typeof within_ms === 'number' && within_ms > 0 ? within_ms : WITHIN_MS;
    const late = setTimeout(() => this.stay(`the new connection was not ready within ${within} ms`), within);
    this.move = { to, old: this.current, socket, came: [], ready: false, since: 0, timers: [late] };
    clearTimeout(this.forget);
    this.repeats.begin();
    this.listen(socket);
  }

  private greet(move: Move): void {
    if (move.socket.protocol !== this.protocol) {
      return this.stay(`the new server speaks ${move.socket.protocol || 'no subprotocol'}, not ${this.protocol}`);
    }
    const { ready, hello } = this.options;
    this.sayHello(move.socket);
    if (hello && ready) return; // its answer comes first
    this.sendPreamble(move);
    if (!ready) this.becomeReady(move);
  }

  private sayHello(socket: WebSocket): void {
    for (const data of this.options.hello?.(this.url) ?? []) socket.send(data);
  }

  private introduce(move: Move): void {
    this.sendPreamble(move);
    this.becomeReady(move);
  }

  private sendPreamble(move: Move): void {
    const { preamble } = this.options;
    const messages = typeof preamble === 'function' ? preamble(move.to) : this.first;
    for (const data of messages) move.socket.send(data);
  }

  private becomeReady(move: Move): void {
    move.ready = true;
    move.since = Date.now();
    this.switchWhenQuiet(move);
  }

  private switchWhenQuiet(move: Move): void {
    if (this.move !== move) return;
    const now = Date.now();
    const { quietMs = QUIET_MS } = this.options;
    const isBusy = now - move.since >= BUSY_MS;
    if (isBusy) this.held ??= [];
    const isQuiet = now - Math.max(this.busyAt, move.since) >= quietMs && this.current.bufferedAmount === 0;
    if (isQuiet || now - move.since >= BUSY_MS + 5 * quietMs) return this.switch(move);
    move.timers.push(setTimeout(() => this.switchWhenQuiet(move), Math.max(quietMs / 5, 1)));
  }

  private switch(move: Move): void {
    move.timers.forEach(clearTimeout);
    move.timers = [setTimeout(() => this.settle(), LEAVE_MS)];
    this.move = null;
    this.leaving = move;
    this.current = move.socket;
    this.held ??= [];
    // Its close event shows that the server has read all that was sent before.
    move.old.close(this.options.leaveCode ?? 1000);
  }

  /** End the overlap: the old connection has ended, or takes too long. */
  private settle(): void {
    const move = this.leaving;
    if (move === null) return;
    this.leaving = null;
    move.timers.forEach(clearTimeout);
    this.forget = setTimeout(() => this.repeats.end(), REPEATS_MS);
    for (const event of move.came) this.show(event, true);
    const waiting = this.held?.length ?? 0;
    try {
      this.options.onMove?.({ to: move.to, moved: true, reason: '' });
    } finally {
      // What the hook sent goes first.
      if (this.held) this.held = [...this.held.slice(waiting), ...this.held.slice(0, waiting)];
      this.release();
    }
  }

  private release(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const data of held) this.deliver(data);
  }

  private deliver(data: Sendable): void {
    this.current.send(data);
    const { preamble } = this.options;
    if (typeof preamble === 'number' && this.first.length < preamble) this.first.push(frozen(data));
  }

  /** Abandon the move, if there is one: the socket stays where it is. */
  private stay(reason: string): void {
    const { move } = this;
    if (move === null) return;
    this.move = null;
    this.abandoned.add(move.socket);
    move.timers.forEach(clearTimeout);
    this.repeats.end();
    move.socket.close(1000);
    this.release();
    this.options.onMove?.({ to: move.to, moved: false, reason });
  }
}
