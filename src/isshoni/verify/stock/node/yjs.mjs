/** Stock Yjs clients, of y-websocket or Hocuspocus: each message is an entry of an array. */
import { createHash } from 'node:crypto';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { now, report } from './reports.mjs';

const ARRAY = 'isshoni-verify';

const providers = {
  yjs: async (url, room, document) => {
    const { WebsocketProvider } = await import('y-websocket');
    const provider = new WebsocketProvider(url, room, document, {
      WebSocketPolyfill: WebSocket,
      disableBc: true,
    });
    const on = (events) => {
      provider.on('sync', (isSynced) => isSynced && events.synced());
      provider.on('connection-close', (event) => events.closed(event?.code, event?.reason));
      provider.on('connection-error', (event) => events.failed(event?.message));
    };
    return { provider, on, stop: () => provider.destroy() };
  },
  hocuspocus: async (url, room, document, token) => {
    const { HocuspocusProvider, HocuspocusProviderWebsocket } = await import(
      '@hocuspocus/provider'
    );
    const websocketProvider = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket });
    const provider = new HocuspocusProvider({
      websocketProvider,
      name: room,
      document,
      token: token ?? '',
    });
    const on = (events) => {
      provider.on('synced', () => events.synced());
      provider.on('close', ({ event }) => events.closed(event?.code, event?.reason));
      provider.on('authenticationFailed', ({ reason }) => events.failed(`not allowed: ${reason}`));
    };
    provider.attach();
    const stop = () => {
      provider.destroy();
      websocketProvider.destroy();
    };
    return { provider, on, stop };
  },
};

export class YjsClient {
  #sent = 0;
  #isOpen = false;

  constructor({ number, url, room, auth }, { run, kind }) {
    this.number = number;
    this.run = run;
    this.room = room;
    this.report = number < 0 ? () => {} : report; // a newcomer only reads
    this.document = new Y.Doc();
    this.array = this.document.getArray(ARRAY);
    this.array.observe((event) => {
      if (event.transaction.local) return;
      const at = now();
      for (const { insert } of event.changes.delta) {
        for (const id of insert ?? []) this.report('frame', number, at, String(id));
      }
    });
    this.ready = this.#connect(providers[kind], url, room, auth);
  }

  async #connect(make, url, room, auth) {
    this.connection = await make(url, room, this.document, auth);
    this.connection.on({
      synced: () => this.#open(),
      closed: (code, reason) => this.#close(code, reason),
      failed: (why) => this.report('failed', this.number, now(), 'REFUSED', String(why ?? '')),
    });
    const { awareness } = this.connection.provider;
    awareness?.on('change', ({ removed }) => {
      if (this.#isOpen && removed.length) this.report('removed', removed.length);
    });
    awareness?.setLocalState({ name: `stock-${this.number}` });
  }

  #open() {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.report('opened', this.number, now());
  }

  #close(code, reason) {
    if (!this.#isOpen) {
      this.report('failed', this.number, now(), 'REFUSED', String(reason || code || ''));
      return;
    }
    this.#isOpen = false;
    this.report('closed', this.number, now(), code ?? null, String(reason ?? ''));
  }

  get isOpen() {
    return this.#isOpen;
  }

  trial(id) {
    this.array.push([id]);
  }

  send() {
    const n = (this.#sent += 1);
    report('sent', this.number, now(), n);
    this.array.push([`iv-${this.run}-${this.number}-${n}`]);
    report('taken', this.number, n);
  }

  /** Reports a digest of the document, which must be the same for all clients of a room. */
  read(name = `stock-${this.number}`) {
    const digest = createHash('sha256').update(JSON.stringify(this.array.toArray())).digest('hex');
    report('document', name, this.room, digest);
  }

  stop() {
    this.connection?.stop();
  }
}
