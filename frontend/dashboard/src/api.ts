import { parseEvents } from './events.js';

export type Colour = 'blue' | 'green';
export const COLOURS: readonly Colour[] = ['blue', 'green'];

export interface Step {
  number: number;
  title: string;
  phase: string;
  began: number | null;
  ended: number | null;
}

export interface Verdict {
  kind: 'pass' | 'hold' | 'fail' | 'inconclusive';
  reason: string;
  figures: Record<string, number>;
}

/** A release's label, and its content id: `git-COMMIT`, `directory-DIGEST`. */
export interface Named {
  release: string | null;
  content?: string | null;
}

/** The label with its commit or digest, as two releases may have one label. */
export function nameOf({ release, content }: Named): string {
  if (!release || !content) return release ?? '';
  const [kind, digest] = content.split('-', 2);
  return `${release} (${kind === 'git' ? 'commit' : kind} ${digest?.slice(0, 12)})`;
}

export interface Rollout extends Named {
  id: string;
  release: string;
  candidate: Colour;
  outcome: 'running' | 'promoted' | 'rolled_back' | 'refused' | 'stuck';
  reason: string;
  step: { number: number; of: number; title: string };
  phase: string;
  paused: boolean;
  began: number;
  ended: number | null;
  weights_desired: Record<Colour, number> | null;
  steps: Step[];
  judgements: (Verdict & { weight: number })[];
  bake: [began: number, seconds: number] | null;
  rollback: {
    reason: string;
    began: number;
    new_connections_home: number | null;
    last_session_home: number | null;
  } | null;
}

export interface ColourState extends Named {
  release: string | null;
  running: boolean;
  healthy: boolean;
  restarts: number;
  last_exit: string | null;
  connections: number;
  sessions: number | null;
  /** The backend's own reason why it is not ready or cannot save. */
  trouble: string | null;
  /** Missing from a server of before processes. */
  processes?: ProcessState[];
}

/** One process of a slot. */
export interface ProcessState {
  name: string;
  ready: boolean;
  reason: string | null;
  connections: number;
  restarts: number;
  evacuated: boolean;
}

export interface Move {
  told: number;
  moved: number;
  stragglers: number;
  remaining: number;
  rate_per_second: number;
  verdict: Verdict | null;
  connections: [at: number, blue: number, green: number][];
}

/** The state of the environment as the server observed it at `at` (seconds since 1970). */
export interface Stand {
  at: number;
  address: string;
  stable: (Named & { colour: Colour; release: string }) | null;
  previous: (Named & { colour: Colour; release: string }) | null;
  engine: { who: string; what: string } | null;
  rollout: Rollout | null;
  seen: { weights_verified: Record<Colour, number> | null; colours: Record<Colour, ColourState> } | null;
  fault: string | null;
  move: Move;
}

export interface PastRollout extends Named {
  id: string;
  release: string;
  previous_release: string;
  outcome: Rollout['outcome'];
  reason: string;
  /** True if it deployed an earlier release again; a server of before does not say. */
  returning?: boolean;
  began: number;
  seconds: number;
  rollback_seconds: { new_connections: number | null; last_session: number | null } | null;
  report: string | null;
}

export type Action = 'pause' | 'resume' | 'abort' | 'rollback' | 'promote';

const RETRY_MS = 1_000;
const SILENCE_MS = 12_000;

/** The dashboard's server. The token is kept for this tab only, and is never part of a URL. */
export class Api {
  readonly #headers: Record<string, string>;

  constructor(readonly token: string | null) {
    this.#headers = token === null ? {} : { authorization: `Bearer ${token}` };
  }

  history = (): Promise<PastRollout[]> => this.#get('/api/history?limit=20');

  async log(name: string): Promise<string[]> {
    return (await this.#get<{ lines: string[] }>(`/api/logs/${name}?lines=200`)).lines;
  }

  /** Request an action; throws an error with the server's message if it is refused. */
  async act(action: Action): Promise<void> {
    const answer = await fetch(`/api/actions/${action}`, { method: 'POST', headers: this.#headers });
    if (!answer.ok) throw new Error(await explain(answer));
  }

  /** Call back with each new state, for ever; `lost` is called with the reason when there is none. */
  async follow(take: (stand: Stand) => void, lost: (why: string) => void): Promise<never> {
    for (;;) {
      try {
        await this.#followOnce(take, lost);
      } catch (fault) {
        lost(fault instanceof Error ? fault.message : String(fault));
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #followOnce(take: (stand: Stand) => void, lost: (why: string) => void): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const answer = await fetch('/api/events', { headers: this.#headers, signal: silence.signal });
      if (!answer.ok || answer.body === null) throw new Error(await explain(answer));
      for await (const event of parseEvents(answer.body)) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        if (event === null) continue;
        const news = JSON.parse(event) as Stand | { unreadable: string };
        if ('unreadable' in news) lost(news.unreadable);
        else take(news);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await fetch(path, { headers: this.#headers });
    if (!answer.ok) throw new Error(await explain(answer));
    return (await answer.json()) as T;
  }
}

async function explain(answer: Response): Promise<string> {
  const body = (await answer.json().catch(() => ({}))) as { detail?: unknown };
  return typeof body.detail === 'string' ? body.detail : `HTTP ${answer.status}`;
}

/** Move the token from the address that `isshoni dashboard` printed to this tab's memory. */
export function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) {
    sessionStorage.setItem('isshoni:token', given);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem('isshoni:token');
}
