/** Run by tests/e2e/test_page.py, which brings a platform up and says where it is. */
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Cable } from './cable.js';
import { Installation } from './installation.js';
import { launch, PICTURE, Visitor } from './page.js';
import { seeded } from '../../packages/canvas-binding/test/seeded.js';

const OFFLINE_MS = Number(process.env.ISSHONI_TEST_OFFLINE_SECONDS ?? 4) * 1000;
/** Generous: a machine that does other things at the same time is no fault of the page. */
const SOON_MS = 30_000;

const until = <T>(assertion: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(assertion, { timeout: SOON_MS, interval: 50 });

describe.skipIf(process.env.ISSHONI_TEST_INSTALLATION === undefined)('two browsers', { timeout: 120_000 }, () => {
  let platform: Installation;
  let cable: Cable;
  let browser: Browser;
  let ann: Visitor;
  let bo: Visitor;
  let sheets = 0;

  beforeAll(async () => {
    platform = new Installation();
    cable = await new Cable(platform.address).lay();
    browser = await launch();
  });

  beforeEach(async () => {
    sheets += 1;
    cable.mend();
    const sheet = `/s/sheet-${sheets}`;
    [ann, bo] = await Promise.all([
      Visitor.enter(browser, cable.address + sheet, 'Ann'),
      Visitor.enter(browser, platform.address + sheet, '보람', { locale: 'ko-KR' }),
    ]);
    // Whoever loses the network before the canvas is there has none to draw on.
    await Promise.all([ann, bo].map(({ page }) => page.locator('canvas.interactive').waitFor({ timeout: SOON_MS })));
    await Promise.all([ann.keepDiary(), bo.keepDiary()]);
  });

  afterEach(() => Promise.all(browser.contexts().map((context: BrowserContext) => context.close())));
  afterAll(async () => {
    await browser.close();
    cable.remove();
  });

  async function expectTheSame(strokes: number, ...people: Visitor[]): Promise<void> {
    for (const person of people) await until(async () => expect(await person.elements()).toBe(strokes));
    const [first, ...others] = await Promise.all(people.map((person) => person.document()));
    for (const other of others) expect(other).toEqual(first);
    await until(async () => {
      const [texts, ...more] = await Promise.all(people.map((person) => person.texts()));
      for (const other of more) expect(other).toEqual(texts);
    });
  }

  test('see nothing of a deploy, nor of a rollback: all is there, whole and in order', async () => {
    const said: string[] = [];
    let strokes = 0;
    const work = async (round: string): Promise<void> => {
      const y = (strokes % 20) / 20;
      said.push(`${round} ${strokes}`);
      strokes += 2;
      await ann.say(said.at(-1)!);
      await Promise.all([
        ann.draw([[0.05, y], [0.2, y + 0.02], [0.4, y]]),
        bo.draw([[0.6, y], [0.8, y + 0.02], [0.95, y]]),
      ]);
    };
    for (const [words, version] of [[['deploy', 'v1.1'], 'v1.1'], [['rollback'], 'v1.0']] as const) {
      await work('before');
      let over = false;
      const done = platform.run(...words).finally(() => (over = true));
      while (!over) await work(words[0]);
      await done;
      for (const { page } of [ann, bo]) await page.locator('.health .server', { hasText: version }).waitFor();
    }
    await ann.undoAndRedo(strokes);
    await expectTheSame(strokes, ann, bo);
    expect(await ann.texts()).toEqual(said);
    for (const element of Object.values(await bo.document())) expect(element.points!.length).toBeGreaterThan(5);
    for (const person of [ann, bo]) {
      const { moves, statuses } = await person.diary();
      expect(moves.map(({ gap_ms }) => gap_ms)).toEqual(moves.map(() => 0));
      expect(moves.length).toBeGreaterThanOrEqual(2);
      expect(statuses).toEqual([]);
      expect(person.complaints).toEqual([]);
    }
  });

  test('lose nothing when the process that serves them is killed', async () => {
    await ann.draw([[0.1, 0.1], [0.3, 0.3]]);
    await until(async () => expect(await bo.elements()).toBe(1));
    const colour = (await ann.page.locator('.health').getAttribute('data-colour'))!;
    platform.kill(colour);
    await until(async () => expect((await ann.diary()).statuses.map(({ status }) => status)).toContain('reconnecting'));
    await ann.say('from the dark');
    await ann.draw([[0.4, 0.1], [0.6, 0.3]]);
    await bo.draw([[0.7, 0.1], [0.9, 0.3]]);
    for (const { page } of [ann, bo]) await page.locator('.health[data-status=restored]').waitFor({ timeout: SOON_MS });
    await expectTheSame(3, ann, bo);
    expect(await bo.texts()).toEqual(['from the dark']);
    const { statuses } = await ann.diary();
    console.log(`reconnecting for ${Math.round(statuses.at(-1)!.at - statuses[0]!.at)} ms`);
  });

  test('merge what both did while one was offline', async () => {
    cable.pull();
    await ann.page.context().setOffline(true);
    await ann.page.locator('.health[data-status=offline]').waitFor({ timeout: SOON_MS });
    await Promise.all([
      ann.page.waitForTimeout(OFFLINE_MS),
      ann.draw([[0.1, 0.1], [0.3, 0.3]]),
      bo.draw([[0.5, 0.1], [0.7, 0.3]]),
      bo.say('are you there?'),
    ]);
    await ann.say('I was away');
    await ann.page.getByText('unsaved work is kept in this tab').waitFor();
    cable.mend();
    await ann.page.context().setOffline(false);
    await ann.page.locator('.health[data-status=restored]').waitFor({ timeout: SOON_MS });
    await expectTheSame(2, ann, bo);
    expect(await bo.texts()).toEqual(['are you there?', 'I was away']);
  });

  test('share a picture that one pastes', async () => {
    await ann.paste('image/png', PICTURE);
    await until(async () => expect(await bo.elements()).toBe(1));
    await until(async () => expect(await bo.save('캔버스를 파일로 저장')).toContain('data:image/png;base64,'));
    await until(async () => expect(await ann.page.locator('.health[data-unsaved]').count()).toBe(0));
    expect([...ann.complaints, ...bo.complaints]).toEqual([]);
  });

  test('and a third come to one canvas, whatever they do to it at once', async () => {
    const cy = await Visitor.enter(browser, `${platform.address}/s/sheet-${sheets}`, 'Cy');
    const people = [ann, bo, cy];
    const seed = Number(process.env.ISSHONI_TEST_SEED ?? 7);
    console.log(`seed ${seed}`);
    await Promise.all(people.map((person, at) => fumble(person, seeded(seed + at), 14)));
    await until(async () => {
      const [first, ...others] = await Promise.all(people.map((person) => person.document()));
      expect(Object.keys(first!).length).toBeGreaterThan(3);
      for (const other of others) expect(other).toEqual(first);
      const [count, ...counts] = await Promise.all(people.map((person) => person.elements()));
      expect(counts).toEqual([count, count]);
    });
    const scenes = await Promise.all(people.map((person) => person.scene()));
    for (const scene of scenes.slice(1)) expect(scene).toEqual(scenes[0]);
  });
});

/** Do to the canvas, by mouse and keys, what comes to mind. */
async function fumble(person: Visitor, random: () => number, steps: number): Promise<void> {
  const point = (): [number, number] => [random(), random()];
  const press = (...keys: string[]) => async (): Promise<void> => {
    await person.take(keys[0]!);
    for (const key of keys.slice(1)) await person.page.keyboard.press(key);
  };
  const draw = (tool: string) => async (): Promise<void> => {
    await person.take(tool);
    await person.draw([point(), point()]);
  };
  const acts = [
    draw('p'), draw('r'), draw('o'), draw('a'), draw('v'), draw('v'), draw('e'),
    press('v', 'Control+a', 'ArrowRight'), press('v', 'Control+a', 'Control+['), press('v', 'Control+a', 'Delete'),
    press('Control+z'), press('Control+z'), press('Control+Shift+z'), press('v', 'Control+a', 'Control+d'),
  ]; // prettier-ignore
  await draw('r')();
  for (let step = 0; step < steps; step += 1) await acts[Math.floor(random() * acts.length)]!();
  await press('v', 'Escape')();
}

/** A red dot. */
