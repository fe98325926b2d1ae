import type { Drawing } from '../models/drawing.js';
import type { People } from '../models/people.js';
import type { Sheet } from './sheet.js';
import type { Tools } from './toolbar.js';

const SHOW_PEN_EVERY_MS = 80;

/** Let a pointer draw on, or erase from, the sheet. */
export function attachPen(sheet: Sheet, drawing: Drawing, people: People, tools: Tools): void {
  const { element } = sheet;
  let pointer: number | null = null;
  let shownAt = 0;

  const showPen = (tip: { x: number; y: number }): void => {
    if (performance.now() - shownAt < SHOW_PEN_EVERY_MS) return;
    shownAt = performance.now();
    people.showPen({ x: Math.round(tip.x), y: Math.round(tip.y) });
  };

  const drawTo = (x: number, y: number): void => {
    if (tools.kind === 'eraser') return drawing.erase(x, y);
    const id = drawing.extend(x, y);
    if (id !== null) sheet.draw(id);
  };

  const lift = (event: PointerEvent): void => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    drawing.end();
    people.showPen(null);
  };

  element.addEventListener('pointerdown', (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    element.setPointerCapture(pointer);
    const { x, y } = sheet.toSheet(event.clientX, event.clientY);
    if (tools.kind === 'eraser') drawing.beginErasing(x, y);
    else sheet.draw(drawing.begin(tools.colour, tools.width, x, y));
  });

  element.addEventListener('pointermove', (event) => {
    if (event.pointerId !== pointer) return;
    // A fast hand moves further between two frames than one event tells.
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length > 0 ? steps : [event]) {
      const tip = sheet.toSheet(step.clientX, step.clientY);
      drawTo(tip.x, tip.y);
      showPen(tip);
    }
  });

  element.addEventListener('pointerup', lift);
  element.addEventListener('pointercancel', lift);
}
