import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { WebSocketServer, type WebSocket } from 'ws';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';

/** A backoff for tests: they wait for nothing that need not be waited for. */
export const QUICKLY = { firstMs: 5, promptMs: 1, factor: 2, longestMs: 20, stableMs: 1000 };

export interface LoggedMessage {
  client_id: string;
  n: number;
  text: string;
  at: number;
  about?: unknown;
  files?: unknown;
}

/** What a blue-green pair shares: the log and the canvas of one session. */
export class SharedState {
  epoch = 'epoch-1';
  /** A position before this seq is too far back for a replay. */
  forgetsBefore = 0;
  readonly log: LoggedMessage[] = [];
  readonly doc = new Y.Doc();
  readonly connections = new Set<StubConnection>();

  lastN(clientId: string): number {
    return Math.max(0, ...this.log.filter((m) => m.client_id === clientId).map((m) => m.n));
  }

  event(index: number): object {
    return { type: 'chat', seq: index + 1, ...this.log[index] };
  }
}

/** Messages that a client without a position gets. */
const HISTORY_LIMIT = 200;
const EMPTY_STEP2_BYTES = 5;

type Frame = Record<string, unknown>;

/** One scripted fault: return true to swallow the frame. */
export type Fault = (connection: StubConnection, frame: Frame) => boolean;

export class StubConnection {
  clientId = '';
  generation = 0;
  readonly received: Frame[] = [];
  readonly closed: Promise<number>;
  restored = false;
  private changes = 0;
  private late: Promise<void> | null = null;

  constructor(
    readonly server: StubServer,
    readonly socket: WebSocket,
    readonly query: URLSearchParams,
  ) {
    this.closed = new Promise((resolve) => socket.on('close', resolve));
    void this.closed.then(() => this.state.connections.delete(this));
    this.state.connections.add(this);
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.takeCanvas(new Uint8Array(data));
      else this.takeText(JSON.parse(data.toString()) as Frame);
    });
  }

  get state(): SharedState {
    return this.server.state;
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  migrate(to: string, ticket = 'ticket'): void {
    this.send({ type: 'migrate', to, ticket, within_ms: 5000 });
  }

  /** Take frames in their order, each after the delay that the server has now. */
  private takeText(frame: Frame): void {
    const delayMs = this.server.delayMs();
    if (delayMs === 0 && this.late === null) return this.takeNow(frame);
    const turn = (this.late ?? Promise.resolve())
      .then(() => new Promise((resolve) => setTimeout(resolve, delayMs)))
      .then(() => {
        this.takeNow(frame);
        if (this.late === turn) this.late = null;
      });
    this.late = turn;
  }

  private takeNow(frame: Frame): void {
    this.received.push(frame);
    if (this.server.fault?.(this, frame)) return;
    if (frame.type === 'restore_session') this.restore(frame);
    else if (frame.type === 'chat') this.takeChat(frame as unknown as LoggedMessage);
    else if (frame.type === 'ping') this.send({ type: 'pong' });
    else if (frame.type === 'history') this.page(frame as { before: number; limit: number });
  }

  private restore(frame: Frame): void {
    const { epoch, log } = this.state;
    this.clientId = frame.client_id as string;
    this.generation = frame.generation as number;
    this.restored = true;
    const position = frame.position as { epoch: string; seq: number } | undefined;
    const replay =
      position?.epoch === epoch && position.seq <= log.length && position.seq + 1 >= this.state.forgetsBefore;
    const history = log.map((_, index) => this.state.event(index)).slice(replay ? position.seq : -HISTORY_LIMIT);
    this.send({
      type: 'session_restored',
      session_id: frame.session_id,
      client_id: this.clientId,
      protocol: this.server.protocol,
      mode: replay ? 'replay' : 'full',
      position: { epoch, seq: log.length },
      last_n: this.state.lastN(this.clientId),
      chat_history: history,
      canvas_state: null,
      server: this.server.identity,
      ...(this.server.features.length > 0 && { features: this.server.features }),
      ...(this.server.permit && { permit: this.server.permit }),
      ...this.server.regions,
    });
  }

  private page({ before, limit }: { before: number; limit: number }): void {
    const first = Math.max(0, before - 1 - limit);
    const events = this.state.log.map((_, index) => this.state.event(index)).slice(first, before - 1);
    this.send({ type: 'history', chat_history: events, more: first > 0 });
  }

  private takeChat({ n, text, about, files }: LoggedMessage): void {
    const lastN = this.state.lastN(this.clientId);
    if (n <= lastN) return this.send({ type: 'ack', n, seq: null });
    if (lastN > 0 && n > lastN + 1) {
      return this.send({ type: 'error', code: 'gap', message: 'n skips', n, expected: lastN + 1 });
    }
    const { log, connections } = this.state;
    const carried = this.server.features.length > 0 ? { ...(about !== undefined && { about }), ...(files !== undefined && { files }) } : {};
    log.push({ client_id: this.clientId, n, text, at: Date.now(), ...carried });
    this.send({ type: 'ack', n, seq: log.length });
    const event = this.state.event(log.length - 1);
    for (const connection of connections) if (connection.restored) connection.send(event);
  }

  takeCanvas(frame: Uint8Array): void {
    if (this.server.holdsCanvas) return void this.server.held.push(() => this.takeCanvas(frame));
    const decoder = decoding.createDecoder(frame);
    if (decoding.readVarUint(decoder) !== 0) return this.broadcast(frame);
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, 0);
    const kind = sync.readSyncMessage(decoder, encoder, this.state.doc, this);
    if (kind === sync.messageYjsSyncStep1) {
      this.socket.send(encoding.toUint8Array(encoder));
      if (!this.server.asksForCanvas) return;
      const question = encoding.createEncoder();
      encoding.writeVarUint(question, 0);
      sync.writeSyncStep1(question, this.state.doc);
      this.socket.send(encoding.toUint8Array(question));
    } else if (frame.length > EMPTY_STEP2_BYTES) {
      this.changes += 1;
      if (this.server.savesCanvas) this.send({ type: 'saved', updates: this.changes });
      this.broadcast(frame);
    }
  }

  private broadcast(frame: Uint8Array): void {
    const update = Uint8Array.from(frame);
    if (update[0] === 0) update[1] = sync.messageYjsUpdate;
    for (const connection of this.state.connections) connection.socket.send(update);
  }
}

/** One colour of a pair: docs/protocol.md as far as a client can tell. */
export class StubServer {
  readonly connections: StubConnection[] = [];
  fault: Fault | null = null;
  /** How long the next frame waits before it is looked at; those of one connection stay in order. */
  delayMs: () => number = () => 0;
  savesCanvas = true;
  /** Leave canvas frames unanswered until `releaseCanvas`, as a slow server does. */
  holdsCanvas = false;
  readonly held: (() => void)[] = [];
  /** Ask, after a step 1, for what the server lacks. */
  asksForCanvas = true;
  protocol = 1;
  identity = { version: 'v1.0', colour: 'blue', heartbeat_seconds: 20 };
  /** Close a new socket with the code that this gives, if any. */
  refuse: (query: URLSearchParams) => number | null = () => null;
  refusals = 0;
  /** What restores say that one may do; nothing by default, as of an older server. */
  permit: object | null = null;
  /** What chat messages may carry; a server without features drops it, as an older one does. */
  features: string[] = [];
  /** The fields of a restore about regions; none by default. */
  regions: object = {};
  private sockets: WebSocketServer | null = null;
  private http: Server | null = null;
  private waiters: (() => void)[] = [];

  constructor(
    readonly state = new SharedState(),
    private readonly serveHttp: RequestListener = (_, response) => response.writeHead(404).end(),
  ) {}

  get port(): number {
    return (this.http!.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  async start(port = 0): Promise<this> {
    this.http = createServer(this.serveHttp);
    this.sockets = new WebSocketServer({ server: this.http, maxPayload: 1 << 20 });
    this.sockets.on('connection', (socket, request) => {
      const query = new URL(request.url!, 'http://stub').searchParams;
      const code = this.refuse(query);
      if (code !== null) {
        this.refusals += 1;
        return socket.close(code);
      }
      this.connections.push(new StubConnection(this, socket, query));
      this.waiters.splice(0).forEach((wake) => wake());
    });
    await new Promise<void>((resolve) => this.http!.listen(port, '127.0.0.1', resolve));
    return this;
  }

  /** Send everybody the canvas as it is, as if somebody had drawn all of it. */
  announce(): void {
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, 0);
    sync.writeUpdate(encoder, Y.encodeStateAsUpdate(this.state.doc));
    const update = encoding.toUint8Array(encoder);
    for (const { socket } of this.state.connections) socket.send(update);
  }

  /** Answer the canvas frames that were held, in order. */
  releaseCanvas(): void {
    this.holdsCanvas = false;
    this.held.splice(0).forEach((take) => take());
  }

  /** Wait for the `index`-th connection ever made. */
  async connection(index: number): Promise<StubConnection> {
    while (this.connections.length <= index) await new Promise<void>((wake) => this.waiters.push(wake));
    return this.connections[index]!;
  }

  /** Stop dead, as kill -9 would: no close frames. */
  async stop(): Promise<void> {
    this.sockets?.clients.forEach((socket) => socket.terminate());
    this.sockets?.close();
    this.http?.closeAllConnections();
    await new Promise((resolve) => this.http?.close(resolve));
  }
}
