import type { SessionRestored } from './messages.js';

/** The most other addresses that a server may name. */
const MOST_ALTERNATIVES = 8;

/** The longest pause in the first rounds: a region that takes over needs a few seconds. */
const EAGER_ROUNDS = 8;
const EAGER_PAUSE_MS = 800;

/** Time for an address to accept a connection while another one has not been tried yet. */
const ALTERNATIVE_TIMEOUT_MS = 2000;

/**
 * Return the address of the WebSockets of an HTTP origin; nothing where a page may not connect to
 * it: one that was loaded with TLS may not without.
 */
export function toWebSocket(origin: unknown): string | undefined {
  if (typeof origin !== 'string' || !/^https?:\/\//.test(origin)) return undefined;
  if (globalThis.location?.protocol === 'https:' && !origin.startsWith('https')) return undefined;
  return origin.replace(/^http/, 'ws').replace(/\/$/, '');
}

/**
 * Which address a client tries next, when it knows of several regions.
 *
 * The Python client has the same rules, and both pass tests/vectors/addresses.json. When a connection is lost
 * its address is tried again first: most losses are restarts of a process. When that attempt fails, each
 * other address is tried at once, and a pause follows only when all of them have failed.
 */
export class Addresses {
  current: string;
  /** The address that restored the session last, while others may be tried. */
  live: string;
  /** How often every address has failed since the last restore. */
  failedRounds = 0;
  /** Shows servers which region writes: the latest that any server sent. */
  proof: string | undefined;
  private all: string[];
  private readonly tried = new Set<string>();

  constructor(
    private readonly home: string,
    alternatives: readonly string[] = [],
  ) {
    this.all = [home];
    this.current = home;
    this.live = home;
    this.adopt(home, alternatives);
  }

  /**
   * Return how long the current address may take to accept a connection, and to restore the session.
   *
   * A silent one gets less time only in the first round: on a slow network every address may need longer.
   */
  timeouts(restoreTimeoutMs: number): { openTimeoutMs: number; restoreTimeoutMs: number } {
    const isAlone = this.all.length < 2 || this.failedRounds > 0;
    return { openTimeoutMs: isAlone ? restoreTimeoutMs : Math.min(restoreTimeoutMs, ALTERNATIVE_TIMEOUT_MS), restoreTimeoutMs };
  }

  /** The bound of the pause after a round. */
  get longestPauseMs(): number {
    return this.all.length > 1 && this.failedRounds <= EAGER_ROUNDS ? EAGER_PAUSE_MS : Infinity;
  }

  /** Use an address whose server has named the others; none named changes none. */
  restored(address: string, { alternatives, region_proof: proof }: Pick<SessionRestored, 'alternatives' | 'region_proof'>): void {
    this.tried.clear();
    this.failedRounds = 0;
    this.live = address;
    this.adopt(address, Array.isArray(alternatives) ? alternatives : []);
    const term = (text?: string): number => parseInt(text ?? '0', 10);
    if (typeof proof === 'string' && term(proof) > term(this.proof)) this.proof = proof;
  }

  /** Handle the loss of a restored connection: its address comes first. */
  lost(): void {
    this.tried.clear();
  }

  /** Go on to the next address; true if it has not been tried in this round. */
  fail(): boolean {
    this.tried.add(this.current);
    this.current = this.all[(this.all.indexOf(this.current) + 1) % this.all.length]!;
    if (!this.tried.has(this.current)) return true;
    this.tried.clear();
    this.failedRounds += 1;
    return false;
  }

  private adopt(address: string, alternatives: readonly unknown[]): void {
    const named = alternatives.map(toWebSocket).filter((it) => it !== undefined);
    const others = named.length > 0 ? named.slice(0, MOST_ALTERNATIVES) : this.all;
    this.all = [...new Set([address, ...others, this.home])];
    this.current = address;
  }
}
