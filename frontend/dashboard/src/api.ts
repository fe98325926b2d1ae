import { parseEvents } from './events.js';
import { t } from './i18n.js';
import type {
  Action,
  DeployPlan,
  Happening,
  PastRollout,
  Permissions,
  Reason,
  Seen,
  Stand,
} from './model.js';
import { sayReason } from './reasons.js';

export * from './model.js';

const RETRY_MS = 1_000;
const SILENCE_MS = 12_000;

/** The dashboard's server. The token is kept for this tab only, and is never part of a URL. */
export class Api {
  readonly #headers: Record<string, string>;

  constructor(readonly token: string | null) {
    this.#headers = token === null ? {} : { authorization: `Bearer ${token}` };
  }

  /** Return `limit` rollouts, newest first: the last ones, or those before one. */
  history(limit: number, before?: string): Promise<PastRollout[]> {
    const older = before === undefined ? '' : `&before=${encodeURIComponent(before)}`;
    return this.#get(`/api/history?limit=${limit}${older}`);
  }

  happenings = (rollout: string): Promise<Happening[]> => this.#get(`/api/history/${encodeURIComponent(rollout)}`);

  permissions = (): Promise<Permissions> => this.#get('/api/permissions');

  async logNames(): Promise<string[]> {
    return (await this.#get<{ names: string[] }>('/api/logs')).names;
  }

  async log(name: string, find = ''): Promise<string[]> {
    const query = new URLSearchParams({ lines: '200', find });
    return (await this.#get<{ lines: string[] }>(`/api/logs/${encodeURIComponent(name)}?${query}`)).lines;
  }

  /** Request an action; throws an error with the server's message if it is refused. */
  act = (action: Action, seen: Seen): Promise<unknown> => this.#post(`/api/actions/${action}`, { seen });

  /** Deploy the release of an earlier rollout again. */
  goTo = (rollout: string, seen: Seen): Promise<unknown> => this.#post('/api/returns', { rollout, seen });

  /** Deploy the release again that was live before a rollout. */
  goToPrevious = (rollout: string, seen: Seen): Promise<unknown> => this.#post('/api/returns', { rollout, previous: true, seen });

  async planDeploy(version: string): Promise<DeployPlan> {
    return (await this.#post<{ plan: DeployPlan }>('/api/deploys', { version, dry_run: true })).plan;
  }

  deploy = (version: string, seen: Seen): Promise<unknown> =>
    this.#post('/api/deploys', { version, dry_run: false, seen });

  /** Call back with each new state, for ever; `lost` is called with the reason when there is none. */
  async follow(take: (stand: Stand) => void, lost: (why: string) => void): Promise<never> {
    for (;;) {
      try {
        await this.#followOnce(take, lost);
      } catch (fault) {
        lost(explainFault(fault));
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

  async #post<T>(path: string, body: unknown): Promise<T> {
    const headers = { ...this.#headers, 'content-type': 'application/json' };
    const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await explain(answer));
    return (await answer.json()) as T;
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await fetch(path, { headers: this.#headers });
    if (!answer.ok) throw new Error(await explain(answer));
    return (await answer.json()) as T;
  }
}

/** Return in the page's language why a request failed. */
async function explain(answer: Response): Promise<string> {
  if (answer.status === 401) return t('needsToken');
  const body = (await answer.json().catch(() => ({}))) as { detail?: unknown; reasons?: Reason[] };
  return typeof body.detail === 'string' ? sayReason(body.detail, body.reasons) : `HTTP ${answer.status}`;
}

/** Return what to show of anything that was thrown. */
export const explainFault = (fault: unknown): string => (fault instanceof Error ? fault.message : String(fault));

/** Move the token from the address that `isshoni dashboard` printed to this tab's memory. */
export function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) {
    sessionStorage.setItem('isshoni:token', given);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem('isshoni:token');
}
