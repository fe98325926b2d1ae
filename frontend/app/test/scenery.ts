import * as Y from 'yjs';

type Point = [x: number, y: number];

const INK = '#26231f';
const VERMILION = '#c4472f';
const INDIGO = '#2c4f86';
const PINE = '#2f6b4c';
const OCHRE = '#b9832a';

interface Stroke {
  colour: string;
  width: number;
  points: Point[];
}

/** Points of a curve from one x to another. */
const curve = (from: number, to: number, y: (x: number) => number, step = 6): Point[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => [from + at * step, y(from + at * step)]);

const hill = (middle: number, width: number, height: number, foot: number): Point[] =>
  curve(middle - 2 * width, middle + 2 * width, (x) => foot - height * Math.exp(-(((x - middle) / width) ** 2)) + 3 * Math.sin(x / 23));

const circle = (x: number, y: number, radius: number): Point[] =>
  Array.from({ length: 48 }, (_, at) => {
    const angle = -2.2 + at * 0.137;
    return [x + radius * Math.cos(angle), y + (radius + Math.sin(3 * angle)) * Math.sin(angle)];
  });

const STROKES: Stroke[] = [
  { colour: INK, width: 1.3, points: hill(280, 130, 160, 520) },
  { colour: INK, width: 0.6, points: hill(600, 110, 90, 520) },
  { colour: VERMILION, width: 1.2, points: circle(620, 270, 54) },
  ...[[140, 245], [210, 300], [280, 290]].map(
    ([x, y]): Stroke => ({ colour: INK, width: 0.8, points: curve(x!, x! + 40, (at) => y! - 14 * Math.abs(Math.sin(((at - x!) * Math.PI) / 20)), 2) }),
  ),
  ...[0, 1, 2, 3, 4].map(
    (row): Stroke => ({
      colour: INDIGO,
      width: 0.6,
      points: curve(80 + 40 * row, 470 + 30 * row, (x) => 570 + 34 * row + 7 * Math.sin(x / 20 + row)),
    }),
  ),
  ...[0, 1, 2, 3, 4, 5, 6].map(
    (blade): Stroke => ({
      colour: PINE,
      width: 0.6,
      points: curve(0, 10, (at) => 730 - at * (7 + ((blade * 5) % 7)), 1).map(([at, y]): Point => [720 + blade * 22 + (at * at) / 9, y]),
    }),
  ),
  { colour: OCHRE, width: 0.6, points: curve(340, 460, (x) => 638 - ((x - 400) / 60) ** 2 * 36) },
  { colour: OCHRE, width: 0.6, points: [[400, 638], [400, 600], [400, 558], [420, 588], [438, 614], [400, 614]] },
];

/** Draw mountains, the sun, water and a boat onto a session's canvas. */
export function drawScenery(doc: Y.Doc): void {
  const elements = doc.getMap('elements');
  STROKES.forEach(({ colour, width, points }, at) => {
    const [x, y] = points[0]!;
    const moved = points.map(([px, py]): Point => [px - x, py - y]);
    const size = (axis: 0 | 1): number => Math.max(...moved.map((point) => point[axis])) - Math.min(...moved.map((point) => point[axis]));
    const element = {
      type: 'freedraw',
      x,
      y,
      width: size(0),
      height: size(1),
      points: moved,
      pressures: [],
      simulatePressure: true,
      strokeColor: colour,
      strokeWidth: width,
      index: `a${String.fromCharCode(65 + at)}`,
    };
    elements.set(`stroke-${at}`, new Y.Map(Object.entries(element)));
  });
}
