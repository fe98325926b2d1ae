import { SessionHttpError, type IsshoniClient } from '@isshoni/client';
import { Observable } from '../observable.js';

const PATIENCE_MS = 3_000;
const ASK_AGAIN_MS = 15_000;
/** Statuses that say nothing about this page: an older server has no such URL, or it is busy. */
const MEANINGLESS = new Set([404, 405, 408, 429]);

/** Asks the server over HTTP why connecting fails: for a WebSocket the browser hides the reason. */
export class Admission extends Observable {
  /** Why the server refuses this page; null while that is not known. */
  fault: SessionHttpError | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly client: Pick<IsshoniClient, 'on' | 'http' | 'status'>) {
    super();
    client.on('status', () => this.watch());
  }

  private watch(): void {
    clearTimeout(this.timer);
    const { status } = this.client;
    if (status === 'connecting' || status === 'reconnecting') this.timer = setTimeout(() => void this.ask(), PATIENCE_MS);
    else this.setFault(null);
  }

  private async ask(): Promise<void> {
    const fault = await this.client.http.checkAdmission().then(() => null, toRefusal);
    const { status } = this.client;
    if (status !== 'connecting' && status !== 'reconnecting') return;
    this.setFault(fault);
    this.timer = setTimeout(() => void this.ask(), ASK_AGAIN_MS);
  }

  private setFault(fault: SessionHttpError | null): void {
    if (fault?.message === this.fault?.message) return;
    this.fault = fault;
    this.changed();
  }
}

function toRefusal(fault: unknown): SessionHttpError | null {
  const refused = fault instanceof SessionHttpError && fault.status < 500 && !MEANINGLESS.has(fault.status);
  return refused ? fault : null;
}
