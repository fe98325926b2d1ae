type Attributes = Record<string, string | number | boolean | ((event: never) => void) | undefined>;
type Child = Node | string | null;

/** Make an HTML element; `on…` attributes are listeners, `true` is a bare attribute. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  decorate(element, attributes);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Make an SVG element. */
export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Node[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS(SVG, tag);
  decorate(element, attributes);
  element.append(...children);
  return element;
}

/** Make a decorative icon of one path in a 24 × 24 box. */
export function icon(path: string): SVGSVGElement {
  return svg('svg', { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' }, svg('path', { d: path }));
}

/** The strokes of the logo, in a box of 32 × 32; `public/icon.svg` has the same. */
export const SEAL = 'M8 13c4-1.600 11-2.400 16-2M9 21c5 1.600 9 .6 14-1.400';

/** Make the logo: drawn, as a font with its characters may be missing. */
export function seal(): HTMLSpanElement {
  const strokes = svg('svg', { viewBox: '0 0 32 32', 'aria-hidden': 'true' }, svg('path', { d: SEAL }));
  return h('span', { class: 'seal', role: 'img', 'aria-label': 'isshoni' }, strokes);
}

function decorate(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as EventListener);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}
