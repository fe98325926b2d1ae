import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { StubServer } from '../../packages/client/test/stub-server.js';
import { hasChromium, Visitor } from './page.js';
import { eachWithStub, until } from './stubbed.js';

describe.skipIf(!hasChromium)('entering a session', { timeout: 30_000 }, () => {
  let browser: Browser;
  let server: StubServer;
  let url: string;
  eachWithStub((stubbed) => ({ browser, server, url } = stubbed));

  const open = async (): Promise<Page> => {
    const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    await page.goto(url);
    return page;
  };

  test('a name in the token is used, and neither asked for nor changed', async () => {
    server.permit = { subject: 'ann', role: 'write', expires_in_ms: null, name: 'Ann of Ant' };
    const page = await open();
    await page.locator('.people li[aria-label="Ann of Ant (you)"]').waitFor();
    await until(() => expect(Object.values(server.state.doc.getMap('people').toJSON())).toMatchObject([{ name: 'Ann of Ant' }]));
    expect(await page.locator('dialog').count()).toBe(0);
    expect(await page.locator('.people button').count()).toBe(0);
  });

  test('without one the name is asked for once the server has let the user in', async () => {
    const page = await open();
    await page.locator('dialog input').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Guest .* – Change your name$/ }).click();
    await page.locator('dialog input').fill('Bo');
    await page.locator('dialog button').click();
    await page.getByRole('button', { name: /^Bo \(you\)/ }).waitFor();
  });

  test.each([
    [4401, 'Ask for a new link.'],
    [4403, 'Your link is for another session.'],
    [4404, 'This is not the name of a session'],
    [4426, 'This page is older than the server.'],
    [4429, 'This tab sent too much in a short time'],
    [4499, 'The server does not allow you to join this session (code 4499).'],
  ])('a refusal (%i) is said in words, with nothing before it', async (code, words) => {
    server.refuse = () => code;
    const page = await open();
    await page.getByRole('alertdialog').getByText(words).waitFor();
    expect(await page.locator('dialog:not([role=alertdialog])').count()).toBe(0);
    // There is nothing behind it that works without a connection.
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.getByRole('alertdialog').waitFor();
    expect(await page.getByRole('button', { name: 'Reload' }).count()).toBe(code > 4425 && code < 4430 ? 1 : 0);
  });

  test('an address that names no session says what a name is, and leads on', async () => {
    const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
    await page.goto(url.replace('quiet-heron', 'two%20words'));
    await page.getByRole('alert').getByText('“two words” cannot be the name of a canvas').waitFor();
    await page.getByRole('button', { name: 'New canvas' }).click();
    await page.waitForURL(/\/s\/[a-z0-9-]+$/);
    expect(page.url()).not.toContain('/s/s/');
  });

  test('a network that is switched off is shown soon, and its return too', async () => {
    const ann = await Visitor.enter(browser, url, 'Ann');
    await ann.page.context().setOffline(true);
    await ann.page.locator('.health[data-status=offline]').waitFor({ timeout: 10_000 });
    await ann.say('written while offline');
    await ann.page.getByText('unsaved work is kept in this tab').waitFor();
    await ann.page.context().setOffline(false);
    await ann.page.locator('.health[data-status=restored]').waitFor();
    await until(async () => expect(await ann.texts()).toEqual(['written while offline']));
  });

  test('a new user gets a colour that no user in the session has, also if a page of an older release chose theirs', async () => {
    const people = server.state.doc.getMap<{ name: string; tint: number; colour: number }>('people');
    for (let at = 0; at < 11; at += 1) people.set(`c-${at}`, { name: `User ${at}`, tint: at % 8, colour: at });
    people.set('of-an-earlier-version', { name: 'Old', tint: 7 } as never);
    const { page } = await Visitor.enter(browser, url, 'Last');
    const last = await until(() => {
      const found = [...people.values()].find(({ name }) => name === 'Last');
      expect(found).toBeDefined();
      return found!;
    });
    expect([last.colour, last.tint]).toEqual([11, 3]);
    await page.locator('.people').waitFor();
  });
});

describe('the colours of users', () => {
  const rules = [...readFileSync(new URL('../src/styles/people.css', import.meta.url), 'utf8').matchAll(/\.tint-\d+ \{ --tint: light-dark\((#\w+), (#\w+)\)/g)];

  test.each([
    ['light', 1, '#fffdf8'],
    ['dark', 2, '#1a1816'],
  ] as const)('differ from one another and have contrast in the %s theme', (_, group, ground) => {
    const colours = rules.map((rule) => rule[group]!);
    expect(colours).toHaveLength(12);
    for (const colour of colours) expect(contrast(colour, ground)).toBeGreaterThan(4.5);
    const distances = colours.flatMap((one, at) => colours.slice(at + 1).map((other) => distance(one, other)));
    expect(Math.min(...distances)).toBeGreaterThan(0.05);
  });
});

/** Red, green and blue, linear, from 0 to 1. */
const linear = (colour: string): [number, number, number] => {
  const value = (at: number): number => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  return [value(1), value(3), value(5)];
};

/** The contrast ratio of WCAG 2. */
function contrast(one: string, other: string): number {
  const [dark, light] = [one, other].map((colour) => {
    const [r, g, b] = linear(colour);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }).sort((a, b) => a - b) as [number, number]; // prettier-ignore
  return (light + 0.05) / (dark + 0.05);
}

/** The distance in the colour space OKLab, in which equal distances look equal (bottosson.github.io/posts/oklab). */
function distance(one: string, other: string): number {
  const lab = (colour: string): number[] => {
    const [r, g, b] = linear(colour);
    const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return [
      0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
      1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
      0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
    ];
  };
  const [a, b] = [lab(one), lab(other)];
  return Math.hypot(...a.map((value, at) => value - b[at]!));
}
