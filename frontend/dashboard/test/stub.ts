import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import type { DeployPlan, PastRollout, Permissions, Stand } from '../src/model.js';
import { HAPPENINGS } from './stands.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** As `isshoni.dashboard.app` sends it. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES: Record<string, string> = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };
const PLAN: DeployPlan = {
  release: { label: 'main', content: 'git-0123456789abcdef0123456789abcdef01234567', command: null },
  stable: { colour: 'blue', release: { label: 'v1.0', command: 'node server.js {port}' } },
  steps: [
    { number: 1, title: 'read the present state', phase: 'prepare', weight: null },
    { number: 5, title: 'canary 10 %', phase: 'canary', weight: 10 },
  ],
  plan: { bake_seconds: 10 },
};

/** The page as it is built from the sources, before an API that says what it is told to. */
export class StubDashboard {
  stand: Stand | null = null;
  past: PastRollout[] = [];
  permissions: Permissions = { acts: true, deploys: false };
  log = ['event=started', 'event=saved'];
  /** The status and detail that actions are refused with. */
  refusal: { status: number; body: unknown } | null = null;
  /** The status of `GET /api/events`. */
  events = 200;
  readonly asked: [path: string, body: unknown][] = [];
  readonly #watchers = new Set<ServerResponse>();

  private constructor(
    readonly directory: string,
    readonly server: Server,
  ) {}

  static async start(): Promise<StubDashboard> {
    const directory = await mkdtemp(join(tmpdir(), 'isshoni-dashboard-'));
    await build({ root: ROOT, logLevel: 'error', build: { outDir: directory, emptyOutDir: true } });
    const server = createServer((request, response) => void stub.#answer(request, response));
    const stub = new StubDashboard(directory, server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.closeAllConnections();
    this.server.close();
    await rm(this.directory, { recursive: true });
  }

  /** Send a new state to all live views. */
  show(stand: Stand): void {
    this.stand = stand;
    this.#watchers.forEach((watcher) => watcher.write(this.#event()));
  }

  /** End all live views, as a server that was stopped does. */
  cut(): void {
    this.#watchers.forEach((watcher) => watcher.destroy());
    this.#watchers.clear();
  }

  #event(): string {
    return `event: status\ndata: ${JSON.stringify(this.stand)}\n\n`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url);
    if (request.method === 'POST') return this.#act(url.pathname, await json(request), response);
    if (url.pathname === '/api/events') return this.#watch(response);
    if (url.pathname.startsWith('/api/')) return send(response, 200, this.#read(url));
    await this.#sendFile(url.pathname, response);
  }

  #act(path: string, body: unknown, response: ServerResponse): void {
    this.asked.push([path, body]);
    if (this.refusal !== null) return send(response, this.refusal.status, this.refusal.body);
    const planned = path === '/api/deploys' && (body as { dry_run: boolean }).dry_run;
    send(response, 202, planned ? { plan: PLAN } : {});
  }

  #watch(response: ServerResponse): void {
    if (this.events !== 200) return send(response, this.events, { detail: 'reading requires the admin token here' });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.#watchers.add(response);
    response.write(this.stand === null ? ': still here\n\n' : this.#event());
  }

  #read({ pathname, searchParams }: URL): unknown {
    if (pathname === '/api/permissions') return this.permissions;
    if (pathname === '/api/logs') return { names: ['blue', 'green', 'green-worker', 'relay', 'balancer', 'deploy'] };
    if (pathname.startsWith('/api/logs/')) {
      const [name, find] = [pathname.split('/').at(-1)!, searchParams.get('find') ?? ''];
      return { lines: this.log.map((line) => `${name} ${line}`).filter((line) => line.includes(find)) };
    }
    if (pathname !== '/api/history') return HAPPENINGS;
    const before = searchParams.get('before');
    const from = before === null ? 0 : this.past.findIndex(({ id }) => id === before) + 1;
    return this.past.slice(from, from + Number(searchParams.get('limit')));
  }

  async #sendFile(path: string, response: ServerResponse): Promise<void> {
    const name = path === '/' ? 'index.html' : path.replace('/static/', '');
    try {
      const body = await readFile(join(this.directory, name));
      const type = TYPES[name.split('.').at(-1)!] ?? 'text/html; charset=utf-8';
      response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
