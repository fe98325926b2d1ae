import type { ClientEvents, IsshoniClient, ServerIdentity, Status } from '@isshoni/client';
import { Observable } from '../observable.js';
import type { Pictures } from './pictures.js';
import { Saving, type Unsaved } from './saving.js';

const SHOW_MOVE_MS = 8_000;

/** The connection's status, its server and, for 8 seconds, the last move; `saving` is observed by itself. */
export class Health extends Observable {
  readonly saving: Saving;
  /** The last move, for 8 seconds after it; else null. */
  move: { version: string; ms: number } | null = null;
  /** The close code of the last refusal. */
  code: number | undefined;
  /** Why the server refuses changes to the canvas; null while it accepts them. */
  canvasRefusal: ClientEvents['canvas_refused'] | null = null;
  private moveTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly client: IsshoniClient,
    pictures: Pictures,
  ) {
    super();
    this.saving = new Saving(client, pictures);
    client.on('status', ({ status, code }) => {
      this.code = code;
      if (status === 'restored' && this.canvasRefusal?.code !== 'too_large') this.canvasRefusal = null;
      this.changed();
    });
    client.on('canvas_refused', (refusal) => {
      this.canvasRefusal = refusal;
      this.changed();
    });
    client.on('moved', ({ version, gap_ms }) => this.showMove({ version, ms: gap_ms }));
  }

  get status(): Status {
    return this.client.status;
  }

  get server(): ServerIdentity | null {
    return this.client.server;
  }

  /** True if this client may only read. */
  get readsOnly(): boolean {
    return this.client.permit?.role === 'read';
  }

  get unsaved(): Unsaved {
    return this.saving.unsaved;
  }

  dismissRefusal(): void {
    this.canvasRefusal = null;
    this.changed();
  }

  private showMove(move: { version: string; ms: number }): void {
    this.move = move;
    this.changed();
    clearTimeout(this.moveTimer);
    this.moveTimer = setTimeout(() => {
      this.move = null;
      this.changed();
    }, SHOW_MOVE_MS);
  }
}
