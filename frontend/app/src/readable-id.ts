const QUALITIES = [
  'amber', 'brisk', 'calm', 'clear', 'dawn', 'deep', 'early', 'fair', 'first', 'gentle', 'glad',
  'golden', 'kind', 'late', 'light', 'little', 'lively', 'misty', 'open', 'paper', 'plain', 'quiet',
  'rare', 'silver', 'slow', 'soft', 'still', 'sunny', 'tidy', 'warm', 'wide', 'young',
]; // prettier-ignore
const THINGS = [
  'acorn', 'birch', 'brook', 'cedar', 'cloud', 'crane', 'creek', 'ember', 'fern', 'field', 'finch',
  'grove', 'harbour', 'heron', 'hill', 'ink', 'island', 'lantern', 'leaf', 'maple', 'meadow', 'moon',
  'otter', 'pebble', 'pine', 'plum', 'pond', 'river', 'sparrow', 'stone', 'tide', 'willow',
]; // prettier-ignore
const LETTERS = 'abcdefghjkmnpqrstuvwxyz23456789';

/**
 * Return a new session id that can be read aloud, like quiet-heron-4k7m2p.
 *
 * Any user who knows the id may join. 40 random bits do not protect a session, but make it
 * unlikely that two sessions get one id.
 */
export function readableId(): string {
  const random = crypto.getRandomValues(new Uint8Array(8));
  const pick = (choices: ArrayLike<string>, index: number): string =>
    choices[random[index]! % choices.length]!;
  const tail = [2, 3, 4, 5, 6, 7].map((index) => pick(LETTERS, index)).join('');
  return `${pick(QUALITIES, 0)}-${pick(THINGS, 1)}-${tail}`;
}
