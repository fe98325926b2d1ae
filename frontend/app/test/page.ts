import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const hasChromium = existsSync(CHROMIUM);

const STATIC = fileURLToPath(new URL('../../../src/isshoni/backend/static/', import.meta.url));
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** Serve the built page as a backend does, under the strictest policy that it must bear. */
export const servePage: RequestListener = (request, response) => {
  const path = new URL(request.url!, 'http://stub').pathname;
  const file = path.startsWith('/static/') ? path.slice('/static/'.length) : 'index.html';
  readFile(STATIC + file).then(
    (body) => {
      response.writeHead(200, {
        'content-type': TYPES[extname(file)],
        'content-security-policy': "default-src 'self'",
      });
      response.end(body);
    },
    () => response.writeHead(404).end(),
  );
};

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

  /** Draw through points given as fractions of the sheet. */
  async draw(points: [number, number][]): Promise<void> {
    const box = (await this.page.locator('.sheet').boundingBox())!;
    const { mouse } = this.page;
    for (const [index, [x, y]] of points.entries()) {
      await mouse.move(box.x + x * box.width, box.y + y * box.height);
      if (index === 0) await mouse.down();
    }
    await mouse.up();
  }

  async take(tool: string): Promise<void> {
    await this.page.locator(`.choice:has([aria-label="${tool}"])`).click();
  }

  strokes(): Promise<number> {
    return this.page.locator('.stroke').count();
  }

  texts(): Promise<string[]> {
    return this.page.locator('.log:not(.waiting) .text').allTextContents();
  }
}
