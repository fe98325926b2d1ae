import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { IsshoniClient } from '@isshoni/client';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { expect, vi } from 'vitest';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** A PNG of one point, in base64. */
export const PICTURE = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

export const hasChromium = existsSync(CHROMIUM);

/** The built page: what is committed, or a build elsewhere (as `ISSHONI_STATIC_DIR` of the build). */
const STATIC = process.env.ISSHONI_TEST_STATIC ?? fileURLToPath(new URL('../../../src/isshoni/backend/static/', import.meta.url));
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'";

/** Serve the built page as a backend does, under the strictest policy that it must bear, and keep files. */
export function servePage(embedHosts = '', directory = STATIC): RequestListener {
  const policy = embedHosts === '' ? POLICY : `${POLICY}; frame-src ${embedHosts}`;
  const files = new Map<string, { type: string; body: Buffer }>();
  return (request, response) => {
    const path = new URL(request.url!, 'http://stub').pathname;
    if (path.startsWith('/sessions/')) return void serveFile(files, path, request, response);
    const file = path.startsWith('/static/') ? path.slice('/static/'.length) : 'index.html';
    readFile(join(directory, file)).then(
      (body) => {
        response.writeHead(200, {
          'content-type': TYPES[extname(file)],
          'content-security-policy': policy,
        });
        const meta = embedHosts === '' ? '' : `<meta name="embed-hosts" content="${embedHosts}" />`;
        response.end(file === 'index.html' ? nameAssetsFrom(path, body).replace('</head>', `${meta}</head>`) : body);
      },
      () => response.writeHead(404).end(),
    );
  };
}

/** Name the assets relative to the page's own path, as a backend does. */
function nameAssetsFrom(path: string, index: Buffer): string {
  const depth = path.split('/').length - 2;
  return index.toString().replaceAll('="/static/', `="${'../'.repeat(depth)}static/`);
}

async function serveFile(
  files: Map<string, { type: string; body: Buffer }>,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === 'PUT') {
    files.set(path, { type: request.headers['content-type']!, body: await buffer(request) });
    response.writeHead(204).end();
    return;
  }
  const file = files.get(path);
  if (file === undefined) response.writeHead(404).end();
  else response.writeHead(200, { 'content-type': file.type }).end(file.body);
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

interface Diary {
  moves: { version: string; gap_ms: number }[];
  statuses: { status: string; at: number }[];
}

/** What the page puts into its global scope, and we add. */
interface InPage {
  isshoni: IsshoniClient;
  diary: Diary;
}

/** A person at a browser of their own; everything that the browser complains of is kept. */
export class Visitor {
  readonly complaints: string[] = [];

  private constructor(readonly page: Page) {
    page.on('console', (entry) => {
      if (entry.type() === 'error' || entry.type() === 'warning') this.complaints.push(entry.text());
    });
    page.on('pageerror', (fault) => this.complaints.push(String(fault)));
  }

  static async enter(browser: Browser, url: string, name: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext({ locale: 'en-GB', ...options });
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(url);
    await visitor.page.locator('dialog input').fill(name);
    await visitor.page.locator('dialog button').click();
    await visitor.page.locator('.health[data-status=restored]').waitFor();
    return visitor;
  }

  async say(text: string): Promise<void> {
    await this.page.locator('.composer textarea').fill(text);
    await this.page.keyboard.press('Enter');
  }

  /** Draw through points given as fractions of where the canvas is free. */
  async draw(points: [number, number][], { lift = true } = {}): Promise<void> {
    const canvas = this.page.locator('canvas.interactive');
    await canvas.waitFor();
    const box = (await canvas.boundingBox())!;
    const at = ([x, y]: [number, number]): [number, number] => [
      box.x + box.width * (0.3 + 0.65 * x),
      box.y + box.height * (0.18 + 0.7 * y),
    ];
    const { mouse } = this.page;
    await mouse.move(...at(points[0]!));
    await mouse.down();
    for (const point of points.slice(1)) await mouse.move(...at(point), { steps: 3 });
    if (lift) await mouse.up();
  }

  /** Press for a rectangle of 150 × 50; returns what drags it to a part of that size. */
  async beginRectangle(): Promise<(part: number) => Promise<void>> {
    await this.page.locator('canvas.interactive').waitFor();
    await this.take('r');
    const [left, top] = [400, 300];
    await this.page.mouse.move(left, top);
    await this.page.mouse.down();
    return (part) => this.page.mouse.move(left + 150 * part, top + 50 * part, { steps: 5 });
  }

  /** Take a tool by its key, as Excalidraw has them. */
  async take(key: string): Promise<void> {
    await this.page.locator('.excalidraw').first().focus();
    await this.page.keyboard.press(key);
  }

  /** Note, from now on, what becomes of the connection. */
  async keepDiary(): Promise<void> {
    await this.page.evaluate(() => {
      const page = globalThis as unknown as InPage;
      page.diary = { moves: [], statuses: [] };
      page.isshoni.on('moved', (move) => page.diary.moves.push(move));
      page.isshoni.on('status', ({ status }) => page.diary.statuses.push({ status, at: performance.now() }));
    });
  }

  diary(): Promise<Diary> {
    return this.page.evaluate(() => (globalThis as unknown as InPage).diary);
  }

  /** Give the elements as this page's document has them. */
  document(): Promise<Record<string, { type?: string; isDeleted?: boolean; points?: unknown[] }>> {
    return this.page.evaluate(() => (globalThis as unknown as InPage).isshoni.elements.toJSON());
  }

  /** Give the elements that this page's editor shows, lowest first. */
  async scene(): Promise<unknown[]> {
    const file = JSON.parse(await this.save(/as a file|파일로/)) as { elements: Record<string, unknown>[] };
    return file.elements.map(({ version, versionNonce, updated, ...shared }) => shared);
  }

  /** Take the last thing back, see that it is gone, and do it again. */
  async undoAndRedo(elements: number): Promise<void> {
    await this.page.getByRole('button', { name: 'Undo' }).click();
    await vi.waitFor(async () => expect(await this.elements()).toBe(elements - 1), { timeout: 10_000 });
    await this.page.getByRole('button', { name: 'Redo' }).click();
    await vi.waitFor(async () => expect(await this.elements()).toBe(elements), { timeout: 10_000 });
  }

  /** Paste files of one type onto the canvas, in one paste. */
  async paste(type: string, ...base64: string[]): Promise<void> {
    await this.page.locator('canvas.interactive').hover();
    await this.page.locator('.excalidraw').first().focus();
    await this.page.evaluate(
      ([kind, ...bodies]) => {
        const clipboardData = new DataTransfer();
        for (const body of bodies) {
          const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
          clipboardData.items.add(new File([bytes], 'picture', { type: kind! }));
        }
        document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
      },
      [type, ...base64],
    );
  }

  /** Drop files of one type onto the middle of the canvas, in one drop. */
  async drop(name: string, type: string, ...base64: string[]): Promise<void> {
    await this.page.locator('canvas.interactive').waitFor();
    await this.page.evaluate(
      ([called, kind, ...bodies]) => {
        const dataTransfer = new DataTransfer();
        for (const body of bodies) {
          const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
          dataTransfer.items.add(new File([bytes], called!, { type: kind! }));
        }
        const canvas = document.querySelector('canvas.interactive')!;
        const [clientX, clientY] = [600, 400];
        for (const event of ['dragenter', 'dragover', 'drop']) {
          canvas.dispatchEvent(new DragEvent(event, { dataTransfer, clientX, clientY, bubbles: true, cancelable: true }));
        }
      },
      [name, type, ...base64],
    );
  }

  /** How many elements the editor shows. */
  async elements(): Promise<number> {
    const summary = this.page.locator('.summary');
    return (await summary.count()) === 0 ? 0 : Number(await summary.getAttribute('data-count'));
  }

  /** Choose an entry of the menu that saves something; gives what was saved. */
  async save(entry: string | RegExp): Promise<string> {
    await this.page.locator('.menu-button').click();
    const saved = this.page.waitForEvent('download');
    await this.page.getByRole('menuitem', { name: entry }).click();
    return readFile(await (await saved).path(), 'utf8');
  }

  texts(): Promise<string[]> {
    return this.page.locator('.log:not(.waiting) .text').allTextContents();
  }
}
