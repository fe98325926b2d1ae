const PROBE_MS = 5_000;
const ANSWER_MS = 5_000;

/**
 * Finds a dead socket: pings, and reports when nothing arrives for two intervals, or when
 * neither a message that must be answered nor the ping after it is answered.
 *
 * It counts pings rather than clock time, because a background tab's timers may be
 * held back for a minute in which nothing was asked.
 */
export class Heartbeat {
  private isPingUnanswered = false;
  private interval: ReturnType<typeof setInterval> | undefined;
  private probeTimer: ReturnType<typeof setTimeout> | undefined;
  private answerTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly ping: () => void,
    private readonly dead: () => void,
    /** True if the server has not acknowledged everything that was sent. */
    private readonly isOwed: () => boolean = () => false,
  ) {}

  start(intervalMs: number): void {
    this.stop();
    this.interval = setInterval(() => this.beat(), intervalMs);
  }

  stop(): void {
    clearInterval(this.interval);
    this.clear();
  }

  heard(): void {
    const wasExpecting = this.answerTimer !== undefined || this.probeTimer !== undefined;
    this.clear();
    if (wasExpecting && this.isOwed()) this.expect();
  }

  /** Call after sending something that the server answers: it is pinged soon if it stays silent. */
  expect(): void {
    if (this.probeTimer !== undefined) return;
    this.answerTimer ??= setTimeout(() => {
      this.answerTimer = undefined;
      if (this.isOwed()) this.probe();
    }, ANSWER_MS);
  }

  /** Ask now: the network may have changed under us. The answer must come within `patienceMs`. */
  probe(patienceMs = PROBE_MS): void {
    const isAsked = this.probeTimer !== undefined;
    if (isAsked && patienceMs >= PROBE_MS) return;
    clearTimeout(this.probeTimer);
    this.probeTimer = setTimeout(this.dead, patienceMs);
    if (!isAsked) this.ping();
  }

  private clear(): void {
    this.isPingUnanswered = false;
    clearTimeout(this.probeTimer);
    clearTimeout(this.answerTimer);
    this.probeTimer = this.answerTimer = undefined;
  }

  private beat(): void {
    if (this.isPingUnanswered) return this.dead();
    this.isPingUnanswered = true;
    this.ping();
  }
}
