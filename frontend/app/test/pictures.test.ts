import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { describe, test } from 'vitest';
import { deployingAt, somePast } from '../../dashboard/test/stands.js';
import { StubDashboard } from '../../dashboard/test/stub.js';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { Visitor } from './page.js';
import { drawScenery } from './scenery.js';
import { eachWithStub } from './stubbed.js';

/** Where the pictures of the documents are written (`npm run pictures`); none are if unset. */
const directory = process.env.ISSHONI_PICTURES;
/** The report of a real run, which no stub can stand for. */
const report = process.env.ISSHONI_PICTURES_REPORT;

const WIDE = { width: 1280, height: 800 };
const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const save = (page: Page, name: string): Promise<Buffer> => page.screenshot({ path: join(directory!, `${name}.png`) });

describe.skipIf(directory === undefined)('pictures of the documents', { timeout: 120_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => {
    ({ browser, server } = stubbed);
    url = stubbed.url.replace('quiet-heron', 'quiet-heron-4k7m2p');
    server.identity = { version: 'v1.1', colour: 'blue', heartbeat_seconds: 20 };
  });

  test('sessions: light, dark in Korean, and on a phone', async () => {
    drawScenery(server.state.doc);
    const enter = async (name: string, options: BrowserContextOptions): Promise<Visitor> => {
      const visitor = await Visitor.enter(browser, url, name, { reducedMotion: 'reduce', ...options });
      await visitor.page.locator('.summary').waitFor({ state: 'attached' });
      return visitor;
    };
    const mira = await enter('Mira', { viewport: WIDE, colorScheme: 'light', locale: 'en-US' });
    const boram = await enter('보람', { viewport: WIDE, colorScheme: 'dark', locale: 'ko-KR' });
    const jun = await enter('Jun', { ...PHONE, locale: 'ko-KR' });
    const lines: [Visitor, string][] = [
      [mira, 'The moon is up. Can you do the water?'],
      [boram, '응, 물결은 내가 그릴게요.'],
      [boram, '갈대도 조금 넣었어요 :)'],
      [jun, 'here from the train, looks lovely'],
      [mira, 'A heron would fit by the reeds'],
    ];
    await jun.page.locator('.tabs button').last().click();
    for (const [visitor, text] of lines) {
      await visitor.say(text);
      await mira.page.locator('.log:not(.waiting)').getByText(text).waitFor();
    }
    await jun.page.getByText(lines.at(-1)![1]).waitFor();
    await save(jun.page, 'phone-chat-ko');
    await jun.page.locator('.tabs button').first().click();
    for (const { page } of [mira, boram, jun]) {
      await page.locator('.excalidraw').first().focus();
      await page.keyboard.press('v');
      await page.keyboard.press('Shift+1');
    }
    await boram.page.mouse.move(560, 640);
    await mira.page.mouse.move(420, 330);
    await mira.page.getByRole('status').first().waitFor();
    await new Promise((done) => setTimeout(done, 1_000)); // Pointers of others glide to their place.
    await save(mira.page, 'session-light');
    await save(boram.page, 'session-dark-ko');
    await save(jun.page, 'phone-ko');
  });

  test('the dashboard: light, and on a phone in Korean', async () => {
    const stub = await StubDashboard.start();
    try {
      stub.past = somePast(4);
      // While live sessions move: half of them are on the new version.
      const [moving, half] = [deployingAt(8), deployingAt(6)];
      const { moved, remaining, connections } = half.move;
      stub.stand = { ...moving, seen: { ...moving.seen!, colours: half.seen!.colours }, move: { ...moving.move, moved, remaining, connections } };
      const looks: [string, BrowserContextOptions][] = [
        ['dashboard-light', { viewport: { width: 1100, height: 860 }, locale: 'en-GB' }],
        ['dashboard-phone-ko', { ...PHONE, deviceScaleFactor: 1, locale: 'ko-KR' }],
      ];
      for (const [name, options] of looks) {
        const page = await (await browser.newContext({ reducedMotion: 'reduce', ...options })).newPage();
        await page.goto(`${stub.url}#token=t`);
        await page.locator('.history tbody tr').first().waitFor({ state: 'attached' });
        await save(page, name);
      }
    } finally {
      await stub.stop();
    }
  });

  // Made only when asked for, from the report of a deploy that the caller names.
  test.skipIf(report === undefined)('the report of a run', async () => {
    const page = await (await browser.newContext({ viewport: { width: 1000, height: 1250 } })).newPage();
    await page.goto(pathToFileURL(report!).href);
    await save(page, 'report');
  });
});
