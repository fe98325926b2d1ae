import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { Backoff } from './backoff.js';
import { ChatChannel } from './chat-channel.js';
import { shouldComeBack, shouldComeBackAtOnce } from './close-codes.js';
import { ABNORMAL, Connection } from './connection.js';
import { Emitter } from './emitter.js';
import { toChatText, type Inbound, type Migrate, type ServerIdentity, type SessionRestored } from './messages.js';
import { defaults, type ClientEvents, type ClientOptions, type Status, type Unsaved } from './options.js';
import { Outbox, type OutboxMessage } from './outbox.js';
import { newClientId } from './identifiers.js';
import { Presence } from './presence.js';
import { watchWakeUps } from './wake-ups.js';

/**
 * One session, held through reconnects and moves.
 *
 * At most two connections live at once: `current`, restored and in use, and
 * `candidate`, on its way to replace it (a move) or to stand in for it (a reconnect).
 */
export class IsshoniClient extends Emitter<ClientEvents> {
  readonly doc: Y.Doc;
  readonly elements: Y.Map<unknown>;

  private readonly options;
  private readonly backoff: Backoff;
  private readonly chat: ChatChannel;
  private readonly presence: Presence;
  private readonly stopWatching: () => void;
  private generation: number;
  private current: Connection | null = null;
  private candidate: Connection | null = null;
  private candidateHasTicket = false;
  private identity: ServerIdentity | null = null;
  private currentStatus: Status = 'closed';
  private canvasUnsaved = false;
  private lostAt: number | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    readonly sessionId: string,
    options: ClientOptions = {},
  ) {
    super();
    this.options = { ...defaults(), ...options };
    this.doc = options.doc ?? new Y.Doc();
    this.presence = new Presence(this.doc, () => this.current?.canvas, this.options.random);
    this.elements = this.doc.getMap('elements');
    this.backoff = this.newBackoff();
    const stored = this.options.store.load();
    this.generation = stored?.generation ?? 0;
    const outbox = stored === null ? Outbox.create(newClientId()) : Outbox.from(stored.outbox);
    this.chat = this.createChat(outbox);
    this.doc.on('update', this.onDocUpdate);
    this.stopWatching = watchWakeUps(() => this.wake(), () => this.reportOutage());
  }

  /** Who is here: y-protocols' awareness; one's own state is for the application to set. */
  get awareness(): Awareness {
    return this.presence.awareness;
  }

  get clientId(): string {
    return this.chat.outbox.clientId;
  }

  get status(): Status {
    return this.currentStatus;
  }

  /** Who serves us, or served us last. */
  get server(): ServerIdentity | null {
    return this.identity;
  }

  /** Messages typed but not yet known to be in Redis, oldest first. */
  get pending(): readonly OutboxMessage[] {
    return this.chat.outbox.pending;
  }

  /** What would be lost if this tab died now. */
  get unsaved(): Unsaved {
    return { messages: this.pending.length, canvas: this.canvasUnsaved };
  }

  connect(): void {
    if (this.currentStatus !== 'closed') return;
    this.setStatus('connecting');
    this.open();
  }

  /** Say goodbye for good; the client cannot be used again. */
  close(): void {
    this.presence.close();
    this.dropConnections();
    this.stopWatching();
    this.doc.off('update', this.onDocUpdate);
    this.setStatus('closed');
  }

  /**
   * Send a chat message, now or as soon as there is a connection.
   *
   * It stays in `pending` until it is in Redis. Throws RangeError when `text` is
   * empty or longer than 4000 characters.
   */
  send(text: string): OutboxMessage {
    return this.chat.send(toChatText(text));
  }

  private createChat(outbox: Outbox): ChatChannel {
    return new ChatChannel(outbox, () => this.newBackoff(), {
      transmit: (frame) => this.current?.send(frame),
      restoreAgain: () => this.requestRestore(this.current),
      taken: (messages, reset) => this.emit('chat', { messages, reset }),
      outboxChanged: () => this.saveOutbox(),
      hole: (hole) => this.emit('hole', hole),
      refused: (message, reason) => this.emit('refused', { text: message.text, reason }),
      newClientId,
    });
  }

  private newBackoff(): Backoff {
    return new Backoff(this.options.backoff, this.options.random);
  }

  // Opening: by ourselves, or on the server's word.

  private open(query = ''): void {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    this.generation += 1;
    this.saveOutbox();
    this.candidateHasTicket = query !== '';
    this.candidate = new Connection(
      {
        url: `${this.url}/ws/${this.sessionId}${query}`,
        WebSocket: this.options.WebSocket,
        replica: { doc: this.doc, awareness: this.awareness },
        origin: this,
        restoreTimeoutMs: this.options.restoreTimeoutMs,
      },
      {
        opened: (connection) => this.requestRestore(connection),
        message: (connection, message) => this.onMessage(connection, message),
        synced: () => this.emit('synced', {}),
        canvas: () => this.assessCanvas(),
        lost: (connection, code) => this.onLost(connection, code),
      },
    );
  }

  private move({ to, ticket }: Migrate): void {
    // The server may change its mind on the way: the latest word counts.
    this.candidate?.release();
    this.open(`?${new URLSearchParams({ target: to, ticket }).toString()}`);
  }

  private requestRestore(connection: Connection | null): void {
    if (connection === null) return;
    connection.asked = this.chat.position;
    connection.send({
      type: 'restore_session',
      session_id: this.sessionId,
      client_id: this.clientId,
      generation: this.generation,
      ...(connection.asked && { position: connection.asked }),
      can: ['migrate', 'canvas'],
    });
  }

  private onMessage(connection: Connection, message: Inbound): void {
    if (connection === this.candidate) this.onCandidateMessage(connection, message);
    else if (message.type === 'session_restored') this.takeRestored(connection, message);
    else if (message.type === 'chat') this.chat.receive(connection.epoch, message);
    else if (message.type === 'ack') this.chat.acknowledge(message.n);
    else if (message.type === 'error') this.chat.receiveError(message);
    else if (message.type === 'migrate') this.move(message);
    else if (message.type === 'saved') {
      connection.canvas.confirm(message.updates);
      this.assessCanvas();
    }
  }

  private takeRestored(connection: Connection, reply: SessionRestored): void {
    connection.epoch = reply.position.epoch;
    this.chat.restored(connection.asked, reply);
  }

  private onCandidateMessage(connection: Connection, message: Inbound): void {
    if (message.type === 'session_restored') this.adopt(connection, message);
    else if (message.type === 'error') connection.fail(ABNORMAL);
  }

  /** Switch to a restored connection; only then is the one before it closed. */
  private adopt(connection: Connection, reply: SessionRestored): void {
    const previous = { connection: this.current, server: this.identity };
    const gapMs = this.lostAt === null ? 0 : this.options.now() - this.lostAt;
    this.current = connection;
    this.candidate = null;
    this.lostAt = null;
    this.identity = reply.server;
    connection.hold(reply.server.heartbeat_seconds);
    this.backoff.restored(this.options.now());
    this.takeRestored(connection, reply);
    connection.canvas.start();
    previous.connection?.release();
    this.setStatus('restored');
    if (previous.server !== null && !isSame(previous.server, reply.server)) {
      const { version, colour } = reply.server;
      this.emit('moved', { version, colour, gap_ms: Math.round(gapMs) });
    }
  }

  // Losing.

  private onLost(connection: Connection, code: number): void {
    const ticketRefused = connection === this.candidate && this.candidateHasTicket;
    if (connection === this.candidate) this.candidate = null;
    if (connection === this.current) {
      this.current = null;
      this.lostAt = this.options.now();
      this.chat.lost();
    }
    // A move that failed leaves us where we are; a reconnect under way may still succeed.
    if (this.current !== null || this.candidate !== null) {
      if (this.current === null) this.reportOutage();
      return;
    }
    if (shouldComeBack(code) || ticketRefused) this.retry(code);
    else this.setStatus('refused', code);
  }

  private retry(code: number): void {
    const delayMs = this.backoff.nextDelayMs(this.options.now(), shouldComeBackAtOnce(code));
    this.retryTimer = setTimeout(() => this.open(), delayMs);
    this.reportOutage();
  }

  private reportOutage(): void {
    if (this.current !== null || this.currentStatus === 'closed' || this.currentStatus === 'refused') return;
    const offline = globalThis.navigator?.onLine === false;
    if (offline) this.setStatus('offline');
    else if (this.currentStatus !== 'connecting') this.setStatus('reconnecting');
  }

  /** The network or the person is back: do not wait for a timer. */
  private wake(): void {
    if (this.current !== null) this.current.probe();
    else if (this.retryTimer !== undefined) this.open();
    this.reportOutage();
  }

  private dropConnections(): void {
    clearTimeout(this.retryTimer);
    this.chat.lost();
    this.candidate?.release();
    this.current?.release();
    this.candidate = null;
    this.current = null;
  }

  // Saying what changed.

  private readonly onDocUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin === this) return;
    this.canvasUnsaved = true;
    this.current?.canvas.sendUpdate(update);
    this.emit('saved', this.unsaved);
  };

  private assessCanvas(): void {
    if (!this.canvasUnsaved || !this.current?.canvas.settled) return;
    this.canvasUnsaved = false;
    this.emit('saved', this.unsaved);
  }

  private saveOutbox(): void {
    this.options.store.save({ outbox: this.chat.outbox.toState(), generation: this.generation });
    this.emit('saved', this.unsaved);
  }

  private setStatus(status: Status, code?: number): void {
    if (status === this.currentStatus) return;
    this.currentStatus = status;
    this.emit('status', { status, server: this.identity, ...(code !== undefined && { code }) });
  }
}

function isSame(one: ServerIdentity, other: ServerIdentity): boolean {
  return one.version === other.version && one.colour === other.colour;
}
