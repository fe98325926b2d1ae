import type { Properties } from './element.js';

const COLOURS: Record<string, string> = {
  vermilion: '#c4472f',
  indigo: '#2c4f86',
  pine: '#2f6b4c',
  ochre: '#b9832a',
};
const INK = '#26231f';
/** Excalidraw draws a freehand line this many times as broad as its `strokeWidth`. */
const FREEDRAW_BREADTH = 4.25;

/** Read a stroke of the first page, which knew nothing else: sessions drawn with it still open. */
export function toFreedraw(stroke: Properties): Properties | null {
  const { points: flat, colour, width, by, at } = stroke;
  if (!Array.isArray(flat) || flat.length < 2 || !flat.every(Number.isFinite)) return null;
  const numbers = flat as number[];
  const [x, y] = numbers as [number, number];
  const points = Array.from({ length: numbers.length >> 1 }, (_, step) => [
    numbers[2 * step]! - x,
    numbers[2 * step + 1]! - y,
  ]);
  const extent = (axis: 0 | 1): number => {
    const along = points.map((point) => point[axis]!);
    return Math.max(...along) - Math.min(...along);
  };
  return {
    type: 'freedraw',
    x,
    y,
    width: extent(0),
    height: extent(1),
    points,
    strokeColor: COLOURS[String(colour)] ?? INK,
    strokeWidth: Number(width) / FREEDRAW_BREADTH,
    customData: { by, at },
  };
}
