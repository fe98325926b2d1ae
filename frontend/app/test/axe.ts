import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

/** A rule that one part of a page may break, because that part is not ours. */
interface Exception {
  rule: string;
  selector: string;
  reason: string;
}

const EXCEPTIONS: Exception[] = [];

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface Found {
  rule: string;
  target: string;
  why: string;
}

/** Fail if axe finds anything on the page as it is now. */
export async function expectNoViolations(page: Page, state: string): Promise<void> {
  // Colours that are on their way to another value are not those that a user reads.
  await page.evaluate(() =>
    Promise.allSettled(
      document
        .getAnimations()
        .filter(({ effect }) => Number.isFinite(effect?.getComputedTiming().endTime))
        .map((animation) => animation.finished),
    ),
  );
  expect.soft(await violations(page), state).toEqual([]);
}

async function violations(page: Page): Promise<Found[]> {
  await page.evaluate(axe.source);
  const { violations: found } = await page.evaluate(
    (tags) => (globalThis as unknown as { axe: typeof axe }).axe.run({ runOnly: tags, resultTypes: ['violations'] }),
    TAGS,
  );
  return found
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => ({ rule: id, target: target.join(' '), why: failureSummary ?? '' })),
    )
    .filter(({ rule, target }) => !EXCEPTIONS.some((exception) => exception.rule === rule && target.includes(exception.selector)));
}
