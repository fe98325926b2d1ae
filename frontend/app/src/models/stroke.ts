/** One stroke of the pen: an element of the canvas, a plain JSON value. */
export interface Stroke {
  type: 'stroke';
  colour: string;
  width: number;
  /** x, y, x, y … on a sheet of SHEET units. */
  points: number[];
  /** The client_id of who drew it. */
  by: string;
  /** When it was begun, by the drawer's clock: later strokes lie on top. */
  at: number;
}

export const SHEET = { width: 1600, height: 1200 } as const;
export const COLOURS = ['ink', 'vermilion', 'indigo', 'pine', 'ochre'] as const;
export const WIDTHS = { fine: 3, medium: 7, broad: 18 } as const;

/** A longer line goes on as another stroke: each step of one is sent whole. */
export const MAX_POINTS = 600;
const MIN_STEP = 2;
const DRAWN_POINTS = 20_000;

/** Take an element for a stroke; null for what is none, for anyone may write anything. */
export function toStroke(element: unknown): Stroke | null {
  const stroke = element as Partial<Stroke> | null;
  const usable =
    typeof stroke === 'object' &&
    stroke?.type === 'stroke' &&
    Array.isArray(stroke.points) &&
    stroke.points.length >= 2 &&
    stroke.points.length <= 2 * DRAWN_POINTS &&
    stroke.points.every(Number.isFinite) &&
    Number.isFinite(stroke.width);
  if (!usable) return null;
  const { points, width, colour, by, at } = stroke as Stroke;
  return {
    type: 'stroke',
    points,
    width: Math.min(Math.max(width, 1), 100),
    colour: (COLOURS as readonly string[]).includes(colour) ? colour : COLOURS[0],
    by: String(by),
    at: Number(at) || 0,
  };
}

/** Add a point; one too near to the last says nothing new. */
export function extend(points: number[], x: number, y: number): boolean {
  const [toX, toY] = [Math.round(x), Math.round(y)];
  const [lastX, lastY] = points.slice(-2);
  const near =
    lastX !== undefined && lastY !== undefined && Math.hypot(toX - lastX, toY - lastY) < MIN_STEP;
  if (near) return false;
  points.push(toX, toY);
  return true;
}

/** Give the SVG path: curves through the middles of the steps, so that it flows. */
export function toPath({ points }: Pick<Stroke, 'points'>): string {
  const at = (index: number): [number, number] => [points[2 * index]!, points[2 * index + 1]!];
  const count = Math.floor(points.length / 2);
  const [startX, startY] = at(0);
  // A dot is a line of no length with round caps.
  if (count === 1) return `M${startX} ${startY}h0`;
  let path = `M${startX} ${startY}`;
  for (let index = 1; index < count - 1; index += 1) {
    const [[x, y], [nextX, nextY]] = [at(index), at(index + 1)];
    path += `Q${x} ${y} ${(x + nextX) / 2} ${(y + nextY) / 2}`;
  }
  const [endX, endY] = at(count - 1);
  return `${path}L${endX} ${endY}`;
}

/** Say whether a round eraser at (x, y) touches the stroke. */
export function isTouched(stroke: Stroke, x: number, y: number, radius: number): boolean {
  const reach = radius + stroke.width / 2;
  const { points } = stroke;
  if (points.length < 4) return Math.hypot(x - points[0]!, y - points[1]!) <= reach;
  for (let index = 0; index + 3 < points.length; index += 2) {
    const [ax, ay, bx, by] = points.slice(index, index + 4) as [number, number, number, number];
    if (distanceToSegment(x, y, ax, ay, bx, by) <= reach) return true;
  }
  return false;
}

function distanceToSegment(x: number, y: number, ax: number, ay: number, bx: number, by: number): number {
  const [dx, dy] = [bx - ax, by - ay];
  const lengthSquared = dx * dx + dy * dy;
  const along = lengthSquared === 0 ? 0 : ((x - ax) * dx + (y - ay) * dy) / lengthSquared;
  const clamped = Math.min(Math.max(along, 0), 1);
  return Math.hypot(x - ax - clamped * dx, y - ay - clamped * dy);
}
