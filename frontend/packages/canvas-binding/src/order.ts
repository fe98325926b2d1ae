import { generateKeyBetween, generateNKeysBetween } from 'fractional-indexing';

const LONGEST_INDEX = 128;

interface Placed {
  id: string;
  index: string;
}

/** True if other indices can be made below and above `index`. */
export function isIndex(index: unknown): index is string {
  if (typeof index !== 'string' || index.length > LONGEST_INDEX) return false;
  // Those that begin with A are the lowest there can be: nothing may fit below them.
  if (index.startsWith('A')) return false;
  try {
    generateKeyBetween(index, null);
    return true;
  } catch {
    return false;
  }
}

/**
 * Put elements in order, each with an index of its own, growing.
 *
 * Two users who add at the same time choose the same index: then the id decides. What has
 * no usable index lies lowest, by id. Where an index is missing or taken, one is made from
 * its neighbours: the same for all who have the same elements.
 */
export function arrange(elements: Iterable<readonly [id: string, index: unknown]>): Placed[] {
  const placed: Placed[] = [];
  for (const [id, index] of elements) placed.push({ id, index: isIndex(index) ? index : '' });
  placed.sort((one, other) => compare(one.index, other.index) || compare(one.id, other.id));
  for (let at = 0; at < placed.length; at += 1) {
    const lower = placed[at - 1]?.index ?? '';
    if (placed[at]!.index > lower) continue;
    const end = findGreater(placed, at, lower);
    const upper = placed[end]?.index ?? null;
    const made = generateNKeysBetween(lower === '' ? null : lower, upper, end - at);
    made.forEach((index, step) => (placed[at + step]!.index = index));
    at = end - 1;
  }
  return placed;
}

function findGreater(placed: Placed[], from: number, lower: string): number {
  let end = from;
  while (end < placed.length && placed[end]!.index <= lower) end += 1;
  return end;
}

const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other));
