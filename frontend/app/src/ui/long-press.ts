import { useMemo, type MouseEvent, type PointerEvent } from 'react';

const HOLD_MS = 500;
/** How far a finger may move while it is held still. */
const LOOSE_PX = 10;

/** Return handlers that call `onPress` when a finger is lifted that was held still on an element; other pointers do nothing. */
export function useLongPress(onPress: (target: Element) => void) {
  return useMemo(() => new LongPress(onPress).handlers, [onPress]);
}

class LongPress {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private start = { x: 0, y: 0 };
  private isTouch = false;
  /** The element on which a finger was held long enough; it is not lifted yet. */
  private held: Element | null = null;

  constructor(private readonly onPress: (target: Element) => void) {}

  readonly handlers = {
    onPointerDown: ({ pointerType, clientX, clientY, target, isPrimary }: PointerEvent): void => {
      this.cancel();
      this.isTouch = pointerType === 'touch';
      if (!this.isTouch || !isPrimary || !(target instanceof Element) || hasOwnMenu(target)) return;
      this.start = { x: clientX, y: clientY };
      this.timer = setTimeout(() => this.hold(target), HOLD_MS);
    },
    onPointerMove: ({ clientX, clientY }: PointerEvent): void => {
      if (Math.hypot(clientX - this.start.x, clientY - this.start.y) > LOOSE_PX) this.cancel();
    },
    onPointerUp: (): void => this.lift(),
    // The browser scrolls with this finger, or has reported it as a press.
    onPointerCancel: (): void => this.lift(),
    // Android reports a long press as this, and would select a word.
    onContextMenu: (event: MouseEvent): void => {
      if (!this.isTouch || !(event.target instanceof Element) || hasOwnMenu(event.target)) return;
      event.preventDefault();
      if (this.timer !== undefined) this.hold(event.target);
    },
  };

  private hold(target: Element): void {
    this.cancel();
    this.held = target;
    target.closest('li')?.setAttribute('data-held', '');
  }

  /** Not before: lifting the finger would close a popover that was opened under it. */
  private lift(): void {
    const { held } = this;
    this.cancel();
    if (held !== null) setTimeout(() => this.onPress(held));
  }

  private cancel(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.held?.closest('li')?.removeAttribute('data-held');
    this.held = null;
  }
}

/** True for what browsers have a menu of their own for, such as a link. */
const hasOwnMenu = (target: Element): boolean => target.closest('a, button, input, img') !== null;
