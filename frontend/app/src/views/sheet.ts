import { svg } from '@isshoni/paper';
import { t } from '../i18n.js';
import type { Drawing } from '../models/drawing.js';
import type { People } from '../models/people.js';
import { SHEET, toPath } from '../models/stroke.js';
import { disposeAll } from './view.js';

/** The sheet of paper: every stroke a path, every pen at work a name. */
export class Sheet {
  readonly element: SVGSVGElement;
  readonly dispose: () => void;
  private readonly strokes = svg('g', { class: 'strokes' });
  private readonly pens = svg('g', { class: 'pens', 'aria-hidden': 'true' });
  private readonly paths = new Map<string, SVGPathElement>();

  constructor(
    private readonly drawing: Drawing,
    private readonly people: People,
  ) {
    const viewBox = `0 0 ${SHEET.width} ${SHEET.height}`;
    this.element = svg('svg', { class: 'sheet', viewBox, role: 'img' }, this.strokes, this.pens);
    for (const [id] of drawing.strokes()) this.draw(id);
    this.describe();
    this.dispose = disposeAll([
      drawing.observe((ids) => this.update(ids)),
      people.observe(() => this.showPens()),
    ]);
  }

  /** Draw one stroke as it is now. */
  draw(id: string): void {
    const stroke = this.drawing.stroke(id);
    const drawn = this.paths.get(id);
    if (stroke === null) {
      drawn?.remove();
      this.paths.delete(id);
      return;
    }
    const path = drawn ?? svg('path', { class: `stroke ${stroke.colour}`, 'stroke-width': stroke.width });
    path.setAttribute('d', toPath(stroke));
    if (drawn !== undefined) return;
    this.paths.set(id, path);
    path.dataset.at = String(stroke.at);
    this.place(path, stroke.at);
  }

  /** Give the place on the sheet of a point on the screen. */
  toSheet(clientX: number, clientY: number): { x: number; y: number } {
    const matrix = this.element.getScreenCTM();
    if (matrix === null) return { x: 0, y: 0 };
    const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(matrix.inverse());
    return { x, y };
  }

  private update(ids: Iterable<string>): void {
    for (const id of ids) this.draw(id);
    this.describe();
  }

  /** Later strokes lie on top; nearly always the new one is the latest. */
  private place(path: SVGPathElement, at: number): void {
    let before = this.strokes.lastElementChild as SVGPathElement | null;
    while (before !== null && Number(before.dataset.at) > at) {
      before = before.previousElementSibling as SVGPathElement | null;
    }
    if (before === null) this.strokes.prepend(path);
    else before.after(path);
  }

  private describe(): void {
    this.element.setAttribute('aria-label', t('canvas', { count: this.paths.size }));
  }

  private showPens(): void {
    const tips = this.people.penTips().map(({ clientId, name, x, y }) => {
      const label = svg('text', { x: 16, y: -14 });
      label.textContent = name;
      const place = `translate(${Math.round(x)} ${Math.round(y)})`;
      const tint = `pen tint-${this.people.tintOf(clientId)}`;
      return svg('g', { class: tint, transform: place }, svg('circle', { r: 7 }), label);
    });
    this.pens.replaceChildren(...tips);
  }
}
