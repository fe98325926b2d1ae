import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { applyAwarenessUpdate, encodeAwarenessUpdate, type Awareness } from 'y-protocols/awareness';
import * as sync from 'y-protocols/sync';
import type * as Y from 'yjs';

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

  /** `origin` marks the transactions made here, so that they are not sent back. */
  constructor(
    private readonly replica: CanvasReplica,
    private readonly origin: unknown,
    private readonly transmit: (frame: Uint8Array) => void,
    private readonly synced: () => void,
  ) {}

  /** Say whether all that was drawn before now is in Redis. */
  get settled(): boolean {
    return this.answered && this.savedUpdates >= this.sentUpdates;
  }

  /** Ask for what we lack, and say who we are. */
  start(): void {
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
    if (!this.answered) return;
    this.sentUpdates += 1;
    this.transmit(syncFrame((encoder) => sync.writeUpdate(encoder, update)));
  }

  confirm(updates: number): void {
    this.savedUpdates = Math.max(this.savedUpdates, updates);
  }

  /** Take one frame from the server; throws on what is no y-websocket message. */
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
    const answer = encoding.toUint8Array(reply);
    this.answered = true;
    if (carriesChanges(answer)) this.sentUpdates += 1;
    this.transmit(syncFrame((encoder) => encoding.writeUint8Array(encoder, answer)));
  }
}

/** Say whether a step 2 holds anything: an update of two zeros is the empty one. */
function carriesChanges(step2: Uint8Array): boolean {
  const decoder = decoding.createDecoder(step2);
  decoding.readVarUint(decoder);
  const update = decoding.readVarUint8Array(decoder);
  return !(update.length === 2 && update[0] === 0 && update[1] === 0);
}

function syncFrame(write: (encoder: encoding.Encoder) => void): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, MESSAGE.sync);
  write(encoder);
  return encoding.toUint8Array(encoder);
}
