import type { ClientEvents, IsshoniClient, ServerIdentity, Status } from '@isshoni/client';
import { Observable } from '../observable.js';
import type { Pictures } from './pictures.js';

const SHOW_MOVE_MS = 8_000;

/** What would be lost if this tab were closed now. */
export interface Unsaved {
  messages: number;
  canvas: boolean;
  pictures: number;
  anything: boolean;
}

/** The connection's status, its server, what is unsaved and, for 8 seconds, the last move. */
export class Health extends Observable {
  /** The last move, for 8 seconds after it; else null. */
  move: { version: string; ms: number } | null = null;
  /** The close code of the last refusal. */
  code: number | undefined;
  /** Why the server refuses changes to the canvas; null while it accepts them. */
  canvasRefusal: ClientEvents['canvas_refused'] | null = null;
  private moveTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly client: IsshoniClient,
    private readonly pictures: Pictures,
  ) {
    super();
    client.on('status', ({ status, code }) => {
      this.code = code;
      if (status === 'restored' && this.canvasRefusal?.code !== 'too_large') this.canvasRefusal = null;
      this.changed();
    });
    client.on('canvas_refused', (refusal) => {
      this.canvasRefusal = refusal;
      this.changed();
    });
    client.on('saved', this.changed);
    client.on('moved', ({ version, gap_ms }) => this.showMove({ version, ms: gap_ms }));
    pictures.observe(this.changed);
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
    const { messages, canvas } = this.client.unsaved;
    const pictures = this.pictures.unsaved;
    return { messages, canvas, pictures, anything: messages > 0 || canvas || pictures > 0 };
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
