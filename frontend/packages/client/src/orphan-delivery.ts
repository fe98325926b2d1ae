import { CLOSE } from './close-codes.js';
import type { ClientEvents, Unsaved } from './options.js';
import type { SessionStore } from './storage.js';

/** What this needs of a client, so that it need not know how one is made. */
export interface Deliverer {
  readonly unsaved: Unsaved;
  on: <Name extends 'saved' | 'status'>(name: Name, listener: (event: ClientEvents[Name]) => void) => () => void;
  connect: () => void;
  close: () => void;
}

/**
 * Sends the messages that closed tabs had not sent, one tab after another, each under its client_id:
 * a message that was sent before, unanswered, must count as a resend.
 */
export class OrphanDelivery {
  private deliverer: Deliverer | null = null;
  private readonly delivered: SessionStore[] = [];

  constructor(
    private readonly stores: SessionStore[],
    private readonly createDeliverer: (store: SessionStore) => Deliverer,
    private readonly isCanvasSaved: () => boolean,
  ) {}

  /** Begin, or go on. */
  next(): void {
    if (this.deliverer !== null) return;
    const store = this.stores.shift();
    if (store === undefined) return;
    // Without `close`: the record must stay claimed until it is forgotten.
    const lent: SessionStore = {
      load: () => store.load(),
      save: (session) => store.save(session),
      stored: () => store.stored?.() ?? Promise.resolve(),
    };
    const deliverer = (this.deliverer = this.createDeliverer(lent));
    const end = (): void => {
      if (this.deliverer !== deliverer) return;
      this.deliverer = null;
      deliverer.close();
      this.next();
    };
    const assess = (): void => {
      if (deliverer.unsaved.messages > 0) return;
      this.delivered.push(store);
      this.forgetDelivered();
      end();
    };
    deliverer.on('saved', assess);
    deliverer.on('status', ({ status, code }) => {
      if (status === 'refused' && code === CLOSE.deleted) store.forget?.();
      if (status === 'refused') end();
    });
    deliverer.connect();
    assess();
  }

  /** Forget what is delivered, once the canvas of all of them is in Redis too. */
  forgetDelivered(): void {
    if (!this.isCanvasSaved()) return;
    for (const store of this.delivered.splice(0)) {
      store.forget?.();
      store.close?.();
    }
  }

  close(): void {
    this.deliverer?.close();
    this.deliverer = null;
    this.stores.length = 0;
  }
}
