import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { Addresses } from './addresses.js';
import { Backoff } from './backoff.js';
import { ChatActions } from './chat-actions.js';
import { ChatChannel } from './chat-channel.js';
import type { Extras } from './chat-content.js';
import { CLOSE } from './close-codes.js';
import { Connection } from './connection.js';
import { Emitter } from './emitter.js';
import { newClientId } from './identifiers.js';
import { Lifeline } from './lifeline.js';
import { identify, isForNow, isOfCanvas, isSameServer, type HistoryPage, type Inbound, type Permit } from './messages.js';
import type { ServerError, ServerIdentity, SessionRestored } from './messages.js';
import { defaults, type ClientEvents, type ClientOptions, type Status, type Unsaved } from './options.js';
import { toContent } from './numbering.js';
import { OrphanDelivery } from './orphan-delivery.js';
import type { OutboxMessage } from './outbox-state.js';
import { Outbox } from './outbox.js';
import { Presence } from './presence.js';
import { SessionHttp } from './session-http.js';
import { Renewal, TokenSource } from './tokens.js';
import type { SessionStore } from './storage.js';
import { UnsavedCanvas } from './unsaved-canvas.js';
import { watchWakeUps } from './wake-ups.js';

const ASK_AGAIN_MS = 300;

/** One session, held through reconnects and moves. */
export class IsshoniClient extends Emitter<ClientEvents> {
  readonly doc: Y.Doc;
  readonly elements: Y.Map<unknown>;
  /** What a user does in the chat. */
  readonly chat: ChatActions;
  /** The session's files, exports and deletion. */
  readonly http: SessionHttp;

  private readonly options;
  private readonly channel: ChatChannel;
  private readonly addresses: Addresses;
  private readonly lifeline: Lifeline;
  private readonly presence: Presence;
  private readonly renewal: Renewal;
  private readonly unsavedCanvas: UnsavedCanvas;
  private readonly orphans: OrphanDelivery;
  private readonly stopWatching: () => void;
  private generation: number;
  private identity: ServerIdentity | null = null;
  private granted: Permit | null = null;
  private currentStatus: Status = 'closed';

  constructor(
    url: string,
    readonly sessionId: string,
    options: ClientOptions = {},
  ) {
    super();
    const all = { ...defaults(), ...options };
    this.options = { ...all, newBackoff: () => new Backoff(all.backoff, all.random) };
    this.doc = options.doc ?? new Y.Doc();
    this.elements = this.doc.getMap('elements');
    const tokens = new TokenSource(options.token, this.options.restoreTimeoutMs);
    this.addresses = new Addresses(url, all.alternatives);
    this.http = new SessionHttp(url, sessionId, tokens, () => this.addresses.live);
    this.lifeline = this.createLifeline(tokens);
    this.renewal = new Renewal(tokens, (token) => this.lifeline.current?.send({ type: 'authenticate', token }));
    this.presence = new Presence(this.doc, () => this.lifeline.current?.canvas, this.options.random);
    const stored = this.options.store.load();
    this.generation = stored?.generation ?? 0;
    this.channel = this.createChat(stored === null ? Outbox.create(newClientId()) : Outbox.from(stored.outbox));
    this.chat = new ChatActions(this.channel);
    this.unsavedCanvas = new UnsavedCanvas(this.options.store);
    this.unsavedCanvas.restore(this.doc, this);
    const { orphans = [] } = this.options.store;
    this.orphans = new OrphanDelivery([...orphans], this.createDeliverer, () => this.unsavedCanvas.isEmpty);
    this.doc.on('update', this.onDocUpdate);
    this.stopWatching = watchWakeUps(() => this.lifeline.wake(), () => this.lifeline.doubt());
  }

  /** The users who are here (y-protocols' awareness); the application sets its own state. */
  get awareness(): Awareness {
    return this.presence.awareness;
  }

  get clientId(): string {
    return this.channel.outbox.clientId;
  }

  get status(): Status {
    return this.currentStatus;
  }

  /** Who serves us, or served us last. */
  get server(): ServerIdentity | null {
    return this.identity;
  }

  /** What we may do here, as the server said last. */
  get permit(): Permit | null {
    return this.granted;
  }

  /** Messages typed but not yet known to be in Redis, oldest first. */
  get pending(): readonly OutboxMessage[] {
    return this.channel.outbox.pending;
  }

  /** What would be lost if this tab died now, unless the store outlives it. */
  get unsaved(): Unsaved {
    return { messages: this.pending.length, canvas: !this.unsavedCanvas.isEmpty };
  }

  connect(): void {
    if (this.currentStatus !== 'closed') return;
    this.setStatus('connecting');
    this.lifeline.open();
  }

  /** Close for good; the client cannot be used again. */
  close(): void {
    this.presence.close();
    this.channel.close();
    this.lifeline.close();
    this.orphans.close();
    this.renewal.stop();
    this.stopWatching();
    this.doc.off('update', this.onDocUpdate);
    this.options.store.close?.();
    this.setStatus('closed');
  }

  /** Send a chat message: `chat.send`. */
  send(text: string, extras: Extras = {}): OutboxMessage {
    return this.chat.send(text, extras);
  }

  /** Ask for older messages: `chat.history`. */
  history(before: number, limit = 100): Promise<HistoryPage> {
    return this.chat.history(before, limit);
  }

  private createLifeline(tokens: TokenSource): Lifeline {
    return new Lifeline(this.addresses, this.options.newBackoff(), tokens, this.options.now, {
      connect: (...where) => this.openConnection(...where),
      disconnected: () => this.channel.lost(),
      outage: () => this.reportOutage(),
      refused: (code) => this.stayAway(code),
    });
  }

  private createChat(outbox: Outbox): ChatChannel {
    return new ChatChannel(outbox, this.options.newBackoff, {
      transmit: (frame) => this.lifeline.current?.ask(frame),
      isConnected: () => this.lifeline.current !== null,
      subject: () => this.granted?.subject ?? null,
      restoreAgain: () => this.lifeline.current && this.requestRestore(this.lifeline.current),
      pauseMs: () => this.pauseMs(),
      taken: (messages, reset) => this.emit('chat', { messages, reset }),
      outboxChanged: () => this.saveOutbox(),
      stored: () => this.options.store.stored?.(),
      numbered: (changes) => this.emit('numbered', { changes }),
      hole: (hole) => this.emit('hole', hole),
      refused: (message, reason) => this.emit('refused', { ...toContent(message), n: message.n, reason }),
      doubtful: (message) => this.emit('doubtful', toContent(message)),
      newClientId,
    });
  }

  /** Create a client that sends the unsent messages of a closed tab, under its client_id. */
  private readonly createDeliverer = (store: SessionStore): IsshoniClient => {
    const options = { ...this.options, doc: new Y.Doc(), store, chatOnly: true };
    const deliverer = new IsshoniClient(this.addresses.current, this.sessionId, options);
    for (const name of ['refused', 'doubtful'] as const) deliverer.on(name, (event) => this.emit(name, event as never));
    return deliverer;
  };

  private openConnection(address: string, query: string, number: number): Connection {
    const generation = (this.generation += 1);
    this.saveOutbox();
    return new Connection(
      {
        number, generation, address,
        ...this.addresses.timeouts(this.options.restoreTimeoutMs),
        path: `/ws/${this.sessionId}${query}`,
        WebSocket: this.options.WebSocket,
        replica: { doc: this.doc, awareness: this.awareness },
        origin: this,
        isOwed: () => this.unsaved.messages > 0 || this.unsaved.canvas,
      },
      {
        opened: (connection) => this.requestRestore(connection),
        message: (connection, message) => this.onMessage(connection, message),
        synced: () => this.emit('synced', {}),
        canvas: () => this.assessCanvas(),
        refused: (refusal) => this.emit('canvas_refused', refusal),
        lost: (connection, code) => this.lifeline.lost(connection, code),
      },
    );
  }

  private requestRestore(connection: Connection): void {
    connection.asked = this.channel.restoreFrom;
    connection.send(this.channel.restoreRequest(this.sessionId, connection.generation, this.addresses.proof));
  }

  private onMessage(connection: Connection, message: Inbound): void {
    if (message.type === 'other_protocol') connection.fail(CLOSE.otherProtocol);
    else if (message.type === 'recall') connection.send(this.channel.recalled(message.epoch, message.after));
    else if (this.lifeline.isCandidate(connection)) this.onCandidateMessage(connection, message);
    else if (message.type === 'session_restored') this.takeRestored(connection, message);
    else if (message.type === 'chat') this.channel.receive(connection.epoch, message);
    else if (message.type === 'ack') this.channel.acknowledge(message.n, message.seq === null);
    else if (message.type === 'error') this.onError(message);
    else if (message.type === 'migrate') this.lifeline.move(message);
    else if (message.type === 'history') this.channel.takeHistory(message);
    else if (message.type === 'authenticated') this.takePermit(message.permit);
    else if (message.type === 'saved') {
      connection.canvas.confirm(message.updates);
      this.assessCanvas();
    }
  }

  private onCandidateMessage(connection: Connection, message: Inbound): void {
    if (message.type === 'session_restored') this.adopt(connection, message);
    else if (message.type !== 'error') return;
    // Redis is away, the log is being made whole, or the server is busy; a timer bounds it.
    else if (isForNow(message)) connection.askAgain(message.retry_after_ms, this.pauseMs());
    else connection.abandon();
  }

  private onError(error: ServerError): void {
    this.channel.receiveError(error);
    if (isOfCanvas(error)) this.emit('canvas_refused', { code: error.code, reason: error.message });
  }

  private pauseMs(): number {
    return ASK_AGAIN_MS * (1 + this.options.random());
  }

  private adopt(connection: Connection, reply: SessionRestored): void {
    const before = this.identity;
    const { version, colour } = (this.identity = identify(reply));
    this.addresses.restored(connection.address, reply);
    const gap_ms = this.lifeline.adopt(connection, () => {
      connection.hold(reply.server.heartbeat_seconds);
      this.takeRestored(connection, reply);
      if (!this.options.chatOnly) connection.canvas.start(reply.limits?.frame_bytes);
    });
    this.setStatus('restored');
    if (before !== null && !isSameServer(before, this.identity)) this.emit('moved', { version, colour, gap_ms });
    this.orphans.next();
  }

  private takeRestored(connection: Connection, reply: SessionRestored): void {
    connection.epoch = reply.position.epoch;
    this.takePermit(reply.permit ?? null);
    this.channel.restored(connection.asked, reply);
  }

  private takePermit(permit: Permit | null): void {
    this.granted = permit;
    this.renewal.schedule(permit?.expires_in_ms ?? null);
  }

  private stayAway(code: number): void {
    if (code === CLOSE.deleted) this.options.store.forget?.();
    this.setStatus('refused', code);
  }

  private reportOutage(): void {
    const settled = this.currentStatus === 'closed' || this.currentStatus === 'refused';
    if (this.lifeline.current !== null || settled) return;
    if (globalThis.navigator?.onLine === false) this.setStatus('offline');
    else if (this.currentStatus !== 'connecting') this.setStatus('reconnecting');
  }

  private readonly onDocUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin === this) return;
    this.unsavedCanvas.add(update);
    this.lifeline.current?.canvas.sendUpdate(update);
    this.emit('saved', this.unsaved);
  };

  private assessCanvas(): void {
    if (!this.lifeline.current?.canvas.settled) return;
    if (this.unsavedCanvas.clear()) this.emit('saved', this.unsaved);
    this.orphans.forgetDelivered();
  }

  private saveOutbox(): void {
    this.options.store.save({ outbox: this.channel.outbox.toState(), generation: this.generation });
    this.emit('saved', this.unsaved);
  }

  private setStatus(status: Status, code?: number): void {
    if (status === this.currentStatus) return;
    this.currentStatus = status;
    this.emit('status', { status, server: this.identity, ...(code !== undefined && { code }) });
  }
}
