const PROBE_MS = 5_000;
const TOLERATED_PINGS = 2;

/**
 * Finds a dead socket: pings, and reports when several went by with nothing heard.
 *
 * It counts pings rather than clock time, because a background tab's timers may be
 * held back for a minute in which nothing was asked.
 */
export class Heartbeat {
  private unanswered = 0;
  private interval: ReturnType<typeof setInterval> | undefined;
  private probeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly ping: () => void,
    private readonly dead: () => void,
  ) {}

  start(intervalMs: number): void {
    this.stop();
    this.interval = setInterval(() => this.beat(), intervalMs);
  }

  stop(): void {
    clearInterval(this.interval);
    clearTimeout(this.probeTimer);
    this.probeTimer = undefined;
    this.unanswered = 0;
  }

  heard(): void {
    this.unanswered = 0;
    clearTimeout(this.probeTimer);
    this.probeTimer = undefined;
  }

  /** Ask now: the network may have changed under us. */
  probe(): void {
    if (this.probeTimer !== undefined) return;
    this.probeTimer = setTimeout(this.dead, PROBE_MS);
    this.ping();
  }

  private beat(): void {
    if (this.unanswered >= TOLERATED_PINGS) {
      this.dead();
      return;
    }
    this.unanswered += 1;
    this.ping();
  }
}
