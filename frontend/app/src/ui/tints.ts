/** The colours that stand for people; styles.css has the same for the two themes. */
const TINTS = ['#8a4a3a', '#2c4f86', '#2f6b4c', '#8a6417', '#6b4a80', '#2b6a74', '#8d3a63', '#5a6424'];

/** Give the colours of a person's cursor: the canvas turns them itself in the dark. */
export function tintColours(tint: number): { background: string; stroke: string } {
  const colour = TINTS[tint] ?? TINTS[0]!;
  return { background: colour, stroke: colour };
}
