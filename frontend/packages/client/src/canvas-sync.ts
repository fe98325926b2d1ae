import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { applyAwarenessUpdate, encodeAwarenessUpdate, type Awareness } from 'y-protocols/awareness';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';
import type { ClientEvents } from './options.js';
import { makeDeletion, splitUpdate, type TooLarge } from './split-update.js';

/** Longest frame for a server that announces no limit. */
const LEAST_FRAME_BYTES = 1 << 20;
/** A larger change is sent in several frames, so that other clients are served in between. */
const PIECE_BYTES = 512 * 1024;
/** Bytes of a frame besides the update: kind, step and length. */
const FRAME_HEADER_BYTES = 16;
/** Transaction origin of removing a value that is too large to send. */
const TOO_LARGE = Symbol('too large');

const MESSAGE = { sync: 0, awareness: 1, queryAwareness: 3 } as const;

export interface CanvasReplica {
  doc: Y.Doc;
  awareness: Awareness;
}

/**
 * The canvas on one connection: the frames of y-websocket, and a count of what is safe.
 *
 * The server counts the frames that carry changes and says how many are in Redis.
 */
export class CanvasSync {
  private answered = false;
  private sentUpdates = 0;
  private savedUpdates = 0;
  private frameBytes = LEAST_FRAME_BYTES;

  /** `origin` marks the transactions made here, so that they are not sent back. */
  constructor(
    private readonly replica: CanvasReplica,
    private readonly origin: unknown,
    private readonly transmit: (frame: Uint8Array) => void,
    private readonly synced: () => void,
    private readonly refused: (refusal: ClientEvents['canvas_refused']) => void,
    /** Called when a change was sent that the server must confirm. */
    private readonly changeSent: () => void = () => undefined,
  ) {}

  /** True if all that was drawn before now is in Redis. */
  get settled(): boolean {
    return this.answered && this.savedUpdates >= this.sentUpdates;
  }

  /** Begin to sync: ask for missing updates, and send our awareness, in frames of up to `frameBytes`. */
  start(frameBytes = LEAST_FRAME_BYTES): void {
    this.frameBytes = frameBytes;
    this.transmit(syncFrame((encoder) => sync.writeSyncStep1(encoder, this.replica.doc)));
    this.sendPresence();
  }

  /** Say where we stand; a state of null says that we left. */
  sendPresence(): void {
    const { awareness } = this.replica;
    if (!awareness.meta.has(awareness.clientID)) return;
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, MESSAGE.awareness);
    encoding.writeVarUint8Array(encoder, encodeAwarenessUpdate(awareness, [awareness.clientID]));
    this.transmit(encoding.toUint8Array(encoder));
  }

  /**
   * Send one change made here.
   *
   * Until the server has asked for what it lacks there is nothing to do: the answer
   * to its question carries this change too, and in order.
   */
  sendUpdate(update: Uint8Array): void {
    if (this.answered) this.sendChanges(update, sync.messageYjsUpdate);
  }

  confirm(updates: number): void {
    this.savedUpdates = Math.max(this.savedUpdates, updates);
  }

  /** Apply one frame of the server; throws on what is no y-websocket message. */
  receive(frame: Uint8Array): void {
    const decoder = decoding.createDecoder(frame);
    const kind = decoding.readVarUint(decoder);
    if (kind === MESSAGE.sync) this.receiveSync(decoder);
    else if (kind === MESSAGE.awareness) {
      applyAwarenessUpdate(this.replica.awareness, decoding.readVarUint8Array(decoder), this.origin);
    } else if (kind === MESSAGE.queryAwareness) this.sendPresence();
  }

  private receiveSync(decoder: decoding.Decoder): void {
    const reply = encoding.createEncoder();
    const step = sync.readSyncMessage(decoder, reply, this.replica.doc, this.origin);
    if (step === sync.messageYjsSyncStep2) this.synced();
    if (step !== sync.messageYjsSyncStep1) return;
    this.answered = true;
    this.sendChanges(readUpdate(encoding.toUint8Array(reply)), sync.messageYjsSyncStep2);
  }

  /** Send an update in one or more frames; the last one is of kind `step`. */
  private sendChanges(update: Uint8Array, step: number): void {
    const { pieces, tooLarge } = splitUpdate(update, PIECE_BYTES, this.frameBytes - FRAME_HEADER_BYTES);
    pieces.forEach((piece, at) => {
      if (carriesChanges(piece)) this.sentUpdates += 1;
      const kind = at === pieces.length - 1 ? step : sync.messageYjsUpdate;
      this.transmit(
        syncFrame((encoder) => {
          encoding.writeVarUint(encoder, kind);
          encoding.writeVarUint8Array(encoder, piece);
        }),
      );
    });
    if (!this.settled) this.changeSent();
    if (tooLarge.length > 0) this.takeOff(tooLarge);
  }

  /** Delete here what cannot be sent: it would stay unsaved, and no other client would have it. */
  private takeOff(parts: TooLarge[]): void {
    Y.applyUpdate(this.replica.doc, makeDeletion(parts), TOO_LARGE);
    const bytes = Math.max(...parts.map((part) => part.bytes));
    const reason = `one value has ${bytes} bytes, the server takes ${this.frameBytes} at once: make it smaller`;
    this.refused({ code: 'too_large', reason, bytes, most_bytes: this.frameBytes });
  }
}

function readUpdate(step2: Uint8Array): Uint8Array {
  const decoder = decoding.createDecoder(step2);
  decoding.readVarUint(decoder);
  return decoding.readVarUint8Array(decoder);
}

/** True if an update has content; an empty one is two zero bytes. */
function carriesChanges(update: Uint8Array): boolean {
  return update.length !== 2 || update[0] !== 0 || update[1] !== 0;
}

function syncFrame(write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, MESSAGE.sync);
  write(encoder);
  return encoding.toUint8Array(encoder);
}
