import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { describe, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { expectNoViolations } from './axe.js';
import { hasChromium } from './page.js';
import { eachWithStub } from './stubbed.js';

const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

const LOOKS = (['en', 'ko'] as const).flatMap((language) =>
  (['light', 'dark'] as const).map((theme) => ({ language, theme })),
);

describe.skipIf(!hasChromium)('axe finds no violation', { timeout: 60_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  async function open(address: string, { language, theme }: (typeof LOOKS)[number], options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({
      locale: language === 'ko' ? 'ko-KR' : 'en-GB',
      colorScheme: theme,
      viewport: WIDE,
      ...options,
    });
    const page = await context.newPage();
    await page.goto(address);
    return page;
  }

  async function enter(look: (typeof LOOKS)[number], options: BrowserContextOptions = {}): Promise<Page> {
    const page = await open(url, look, options);
    await page.locator('dialog input').fill('Ann');
    await page.locator('dialog button').click();
    await page.locator('canvas.interactive').waitFor();
    return page;
  }

  describe.each(LOOKS)('$language $theme', (look) => {
    test('on the home page, with a bad name too', async () => {
      const page = await open(new URL('/', url).href, look);
      await page.locator('.create').waitFor();
      await expectNoViolations(page, 'home');
      await page.goto(url.replace('quiet-heron', 'two%20words'));
      await page.getByRole('alert').waitFor();
      await expectNoViolations(page, 'bad name');
    });

    test('in a session: the name dialog, chat, people, menus, dialogs', async () => {
      const page = await open(url, look);
      await page.locator('dialog input').waitFor();
      await page.locator('canvas.interactive').waitFor();
      await expectNoViolations(page, 'name dialog');
      await page.keyboard.press('Escape');
      for (const text of ['Hello', 'again', 'https://example.org']) {
        await page.locator('.composer textarea').fill(text);
        await page.keyboard.press('Enter');
      }
      await page.locator('.log:not(.waiting) .message:nth-child(3)').waitFor();
      await expectNoViolations(page, 'chat');
      await page.locator('[popovertarget=who-is-where]').click();
      await expectNoViolations(page, 'who is where');
      await page.keyboard.press('Escape');
      await page.locator('.menu-button').click();
      await expectNoViolations(page, 'menu');
      await page.locator('#menu .grave').click();
      await page.locator('dialog').waitFor();
      await expectNoViolations(page, 'delete dialog');
      await page.keyboard.press('Escape');
      await page.keyboard.press('Escape');
      await page.locator('.share').click();
      await expectNoViolations(page, 'shared');
    });

  });

  // What has no colours of its own for a theme needs not every combination.
  describe.each([LOOKS[0]!, LOOKS.at(-1)!])('$language $theme', (look) => {
    test('in the editor: its menu, its tools, a chosen shape, its help', async () => {
      const page = await enter(look);
      await page.locator('.main-menu-trigger').click();
      await page.locator('.dropdown-menu').waitFor();
      await expectNoViolations(page, 'canvas menu');
      await page.keyboard.press('Escape');
      await page.locator('.excalidraw').first().focus();
      await page.keyboard.press('r');
      await page.mouse.move(400, 400);
      await page.mouse.down();
      await page.mouse.move(600, 500, { steps: 4 });
      await page.mouse.up();
      await page.locator('.App-menu__left').waitFor();
      await expectNoViolations(page, 'a chosen rectangle');
      await page.keyboard.press('?');
      await page.locator('.HelpDialog').waitFor();
      await expectNoViolations(page, 'help');
    });

    test('on a phone, with canvas and with chat', async () => {
      const page = await enter(look, { viewport: PHONE, hasTouch: true, isMobile: true });
      await expectNoViolations(page, 'phone, canvas');
      await page.locator('.tabs button').last().click();
      await page.locator('.composer textarea').fill('Hello');
      await page.keyboard.press('Enter');
      await page.locator('.log:not(.waiting) .message').waitFor();
      await expectNoViolations(page, 'phone, chat');
    });

    test('offline, with unsaved work', async () => {
      const page = await enter(look);
      await page.context().setOffline(true);
      await page.locator('.health[data-status=offline]').waitFor();
      await page.locator('.composer textarea').fill('unsaved');
      await page.keyboard.press('Enter');
      await page.locator('.unsaved').waitFor();
      await expectNoViolations(page, 'offline');
    });

    test('after a refusal', async () => {
      server.refuse = () => 4426;
      const page = await open(url, look);
      await page.getByRole('alertdialog').waitFor();
      await expectNoViolations(page, 'refused');
    });
  });
});
