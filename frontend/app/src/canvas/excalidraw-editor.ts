import { CaptureUpdateAction } from '@excalidraw/excalidraw';
import type { OrderedExcalidrawElement } from '@excalidraw/excalidraw/element/types';
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { CanvasElement, Editor } from '@isshoni/canvas-binding';
import type { Press } from './press.js';

/** Adapts Excalidraw to the binding's `Editor`. */
export class ExcalidrawEditor implements Editor {
  constructor(
    private readonly api: ExcalidrawImperativeAPI,
    private readonly presses: Press,
  ) {}

  elements(): readonly CanvasElement[] {
    return this.api.getSceneElementsIncludingDeleted();
  }

  show(elements: readonly CanvasElement[]): void {
    this.api.updateScene({
      elements: elements as unknown as readonly OrderedExcalidrawElement[],
      captureUpdate: CaptureUpdateAction.NEVER,
    });
  }

  press(): string | null {
    return this.presses.current;
  }

  inHand(): ReadonlySet<string> {
    const state = this.api.getAppState();
    const { newElement, multiElement, editingTextElement, resizingElement, editingLinearElement } = state;
    const held = new Set<string>();
    for (const element of [newElement, multiElement, editingTextElement, resizingElement]) {
      if (element !== null) held.add(element.id);
    }
    if (editingLinearElement !== null) held.add(editingLinearElement.elementId);
    if (state.croppingElementId !== null) held.add(state.croppingElementId);
    if (state.selectedElementsAreBeingDragged || state.isResizing || state.isRotating) {
      Object.keys(state.selectedElementIds).forEach((id) => held.add(id));
    }
    return held;
  }
}
