import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { StubServer } from '../../packages/client/test/stub-server.js';
import { launch, servePage } from './page.js';

export interface Stubbed {
  /** Shared by the tests of a file; its contexts are closed after each. */
  browser: Browser;
  /** New for each test, with an empty session. */
  server: StubServer;
  /** The address of a session's page there. */
  url: string;
}

/** Give each test of a block a browser and a stub server that serves the built page. */
export function eachWithStub(begin: (stubbed: Stubbed) => void): void {
  let browser: Browser;
  let server: StubServer;

  beforeAll(async () => {
    browser = await launch();
  });

  beforeEach(async () => {
    server = await new StubServer(undefined, servePage()).start();
    begin({ browser, server, url: `http://127.0.0.1:${server.port}/s/quiet-heron` });
  });

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await server.stop();
  });

  afterAll(() => browser.close());
}

/** Wait until an assertion holds, for 15 seconds at most. */
export const until = <T>(assertion: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(assertion, { timeout: 15_000, interval: 20 });
