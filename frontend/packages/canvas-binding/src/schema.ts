import { colour, flag, link, list, number, oneOf, orNull, pair, record, text, type Check } from './checks.js';
import type { CanvasElement, Properties } from './element.js';
import { toFreedraw } from './legacy-stroke.js';

/** How a property is checked, and what stands in for a bad or missing one; none: then it is no element. */
type Rule = [check: Check, standIn?: (element: { id: string }) => unknown];

const FARTHEST = 1_000_000;
const LARGEST = 50_000;
const MOST_POINTS = 20_000;
const LONGEST_TEXT = 50_000;
const LONGEST_ID = 128;

const by = (value: unknown) => (): unknown => value;
const id = text(LONGEST_ID);
const place = number(-FARTHEST, FARTHEST);
const extent = number(-LARGEST, LARGEST);
const point = pair(place);
const none = by(null);

const COMMON: Record<string, Rule> = {
  x: [place],
  y: [place],
  width: [extent],
  height: [extent],
  angle: [number(-1000, 1000), by(0)],
  strokeColor: [colour, by('#1e1e1e')],
  backgroundColor: [colour, by('transparent')],
  fillStyle: [oneOf('solid', 'hachure', 'cross-hatch', 'zigzag'), by('solid')],
  strokeWidth: [number(0.5, 50), by(2)],
  strokeStyle: [oneOf('solid', 'dashed', 'dotted'), by('solid')],
  roughness: [number(0, 5), by(1)],
  opacity: [number(0, 100), by(100)],
  seed: [number(1, 2 ** 31), ({ id: of }) => hash(of)],
  groupIds: [list(id, 50), by([])],
  frameId: [orNull(id), none],
  roundness: [orNull(record({ type: oneOf(1, 2, 3) })), none],
  boundElements: [orNull(list(record({ id, type: oneOf('arrow', 'text') }), 1000)), none],
  link: [orNull(link), none],
  locked: [flag, by(false)],
  isDeleted: [flag, by(false)],
};

const binding = orNull(record({ elementId: id, focus: number(-10, 10), gap: number(-1000, 1000) }));
const fixedBinding = orNull(
  record({ elementId: id, focus: number(-10, 10), gap: number(-1000, 1000), fixedPoint: pair(number(-10, 10)) }),
);
const eitherBinding: Check = (value) => fixedBinding(value) ?? binding(value);
const arrowhead = orNull(
  oneOf(
    'arrow', 'bar', 'dot', 'circle', 'circle_outline', 'triangle', 'triangle_outline',
    'diamond', 'diamond_outline', 'crowfoot_one', 'crowfoot_many', 'crowfoot_one_or_many',
  ),
); // prettier-ignore

const LINE: Record<string, Rule> = {
  points: [(value) => atLeast(2, list(point, MOST_POINTS)(value))],
  lastCommittedPoint: [orNull(point), none],
  startBinding: [eitherBinding, none],
  endBinding: [eitherBinding, none],
  startArrowhead: [arrowhead, none],
  endArrowhead: [arrowhead, none],
};

/** What each type of element has beyond what all have; any other type is not shown. */
const SPECIAL: Record<string, Record<string, Rule>> = {
  rectangle: {},
  diamond: {},
  ellipse: {},
  line: LINE,
  arrow: {
    ...LINE,
    elbowed: [flag, by(false)],
    fixedSegments: [orNull(list(record({ start: point, end: point, index: number(0, MOST_POINTS) }), 100)), none],
    startIsSpecial: [orNull(flag), none],
    endIsSpecial: [orNull(flag), none],
  },
  freedraw: {
    points: [(value) => atLeast(1, list(point, MOST_POINTS)(value))],
    pressures: [list(number(0, 1), MOST_POINTS), by([])],
    simulatePressure: [flag, by(true)],
    lastCommittedPoint: [orNull(point), none],
  },
  text: {
    text: [text(LONGEST_TEXT)],
    originalText: [text(LONGEST_TEXT), by(undefined)],
    fontSize: [number(1, 1000), by(20)],
    fontFamily: [oneOf(1, 2, 3, 5, 6, 7, 8, 9), by(5)],
    textAlign: [oneOf('left', 'center', 'right'), by('left')],
    verticalAlign: [oneOf('top', 'middle', 'bottom'), by('top')],
    containerId: [orNull(id), none],
    lineHeight: [number(0.5, 5), by(1.25)],
    autoResize: [flag, by(true)],
  },
  image: {
    fileId: [(value) => (typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value) ? value : undefined)],
    scale: [pair(oneOf(1, -1)), by([1, 1])],
    crop: [
      orNull(record({ x: place, y: place, width: extent, height: extent, naturalWidth: extent, naturalHeight: extent })),
      none,
    ],
  },
  frame: { name: [orNull(text(200)), none] },
  // The editor shows the page only if the operator allows its host, otherwise a box with the link.
  embeddable: {},
};

const RULES = new Map(Object.entries(SPECIAL).map(([type, rules]) => [type, Object.entries({ ...COMMON, ...rules })]));

/**
 * Make an element for the editor of what the document holds; null for what is none.
 *
 * Anybody may write anything: each property is checked, and bounded where a great value
 * would cost the reader's time. What we do not know stays in the document, unseen.
 */
export function toElement(id: string, stored: Properties | null): CanvasElement | null {
  const source = stored?.type === 'stroke' ? toFreedraw(stored) : stored;
  const type = source?.type;
  if (source === null || id === '' || id.length > LONGEST_ID || typeof type !== 'string') return null;
  const rules = RULES.get(type);
  if (rules === undefined) return null;
  const element: Properties = { id, type };
  for (const [name, [check, standIn]] of rules) {
    const value = check(source[name]) ?? standIn?.({ id });
    if (value === undefined && standIn === undefined) return null;
    element[name] = value;
  }
  return loosen({ ...element, updated: 1, version: 1, versionNonce: 0, index: '' } as unknown as CanvasElement);
}

/** Undo what would tie an element to itself, and complete what depends on another property. */
function loosen(element: CanvasElement): CanvasElement {
  const { id, type } = element;
  if (element.frameId === id || type === 'frame') element.frameId = null;
  if (type === 'text') {
    if (element.containerId === id) element.containerId = null;
    element.originalText ??= element.text;
  }
  if (type === 'image') element.status = 'saved';
  // The editor throws at an elbow that is no right angle.
  if (element.elbowed === true && !isRightAngled(element.points as Point[])) element.elbowed = false;
  return element;
}

type Point = [x: number, y: number];

function isRightAngled(points: Point[]): boolean {
  return points.every(([x, y], at) => {
    const [lastX, lastY] = points[at - 1] ?? [x, y];
    return Math.abs(x - lastX) < 1 || Math.abs(y - lastY) < 1;
  });
}

const atLeast = (count: number, items: unknown): unknown =>
  Array.isArray(items) && items.length >= count ? items : undefined;

/** A number that is always the same for an id (FNV-1a), so that all users see the same wobble. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  return (sum >>> 1) || 1;
}
