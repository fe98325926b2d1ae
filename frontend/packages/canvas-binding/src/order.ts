import { generateKeyBetween, generateNKeysBetween } from 'fractional-indexing';

const LONGEST_INDEX = 128;

/** An element, and its index as stored if that is usable; else empty. */
export type Place = readonly [id: string, index: string];

interface Placed {
  id: string;
  index: string;
}

/** True if other indices can be made below and above `index`. */
function isIndex(index: unknown): index is string {
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

/** Return an index that others can be made beside; empty if `index` is none. */
export const usable = (index: unknown): string => (isIndex(index) ? index : '');

/** What has no usable index lies lowest. Two users who add at the same time choose the same index: then the id decides. */
export const comparePlaces = ([oneId, one]: Place, [otherId, other]: Place): number => compare(one, other) || compare(oneId, otherId);

/**
 * Return sorted elements, each with an index of its own, growing.
 *
 * Where an index is missing or taken, one is made from its neighbours: the same for all who have
 * the same elements.
 */
export function complete(sorted: readonly Place[]): Placed[] {
  const placed = sorted.map(([id, index]) => ({ id, index }));
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
