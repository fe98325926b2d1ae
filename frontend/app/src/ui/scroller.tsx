import { Component, createRef, type ReactNode } from 'react';
import { t } from '../i18n.js';

/** A position this near to an end of the list counts as at the end. */
const NEAR_PX = 80;

interface Props {
  /** Called when the first item comes near. */
  onNearTop: () => void;
  /** Called when the end may have come into view. */
  onMoved: () => void;
  children: ReactNode;
}

/** What the list showed before a change: its end, or an item at a place. */
type Shown = { atEnd: true } | { atEnd: false; item: Element | null; bottom: number };

/**
 * A list that stays where the user reads it.
 *
 * At the end it follows what is added there. Elsewhere, the first item in view keeps its place,
 * whatever is added, removed or changes its height above or below. The position of the list
 * decides, just before each change: a scroll event comes too late for that.
 */
export class Scroller extends Component<Props> {
  private readonly list = createRef<HTMLDivElement>();
  private readonly content = createRef<HTMLDivElement>();
  private readonly sizes = new ResizeObserver(() => this.onResize());
  private last = { scrollHeight: 0, clientHeight: 0 };
  private wantsEnd = false;
  private wanted: number | null = null;

  /** Go to the end, and follow it. */
  toEnd(): void {
    this.wantsEnd = true;
    this.goToEnd();
  }

  /** Show the item of a seq in the middle and focus it, now or once it is in the list. */
  reveal(seq: number): void {
    this.wanted = seq;
    this.showWanted();
  }

  /** True if the end of the list is in view. */
  get isAtEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.list.current!;
    return scrollHeight - scrollTop - clientHeight < NEAR_PX;
  }

  /** True unless the list is hidden, as on a phone that shows the canvas. */
  get isVisible(): boolean {
    return getComputedStyle(this.list.current!).visibility === 'visible';
  }

  override componentDidMount(): void {
    this.goToEnd();
    this.sizes.observe(this.list.current!);
    this.sizes.observe(this.content.current!);
  }

  override componentWillUnmount(): void {
    this.sizes.disconnect();
  }

  override getSnapshotBeforeUpdate(): Shown {
    if (this.isAtEnd) return { atEnd: true };
    const item = this.firstInView();
    return { atEnd: false, item, bottom: item?.getBoundingClientRect().bottom ?? 0 };
  }

  override componentDidUpdate(_: unknown, __: unknown, shown: Shown): void {
    const list = this.list.current!;
    if (this.wantsEnd || shown.atEnd) this.goToEnd();
    else if (shown.item?.isConnected) {
      const moved = shown.item.getBoundingClientRect().bottom - shown.bottom;
      if (moved !== 0) list.scrollTop += moved;
    }
    this.wantsEnd = false;
    this.showWanted();
    this.measure();
    if (list.scrollTop < NEAR_PX) this.props.onNearTop();
  }

  private readonly onScroll = (): void => {
    if (this.list.current!.scrollTop < NEAR_PX) this.props.onNearTop();
    this.props.onMoved();
  };

  /** Follow the end when the list or what is in it changes its size without an update. */
  private onResize(): void {
    const { scrollTop } = this.list.current!;
    if (this.last.scrollHeight - scrollTop - this.last.clientHeight < NEAR_PX) this.goToEnd();
    this.measure();
    this.props.onMoved();
  }

  private goToEnd(): void {
    const list = this.list.current!;
    list.scrollTop = list.scrollHeight;
    this.measure();
  }

  private measure(): void {
    const { scrollHeight, clientHeight } = this.list.current!;
    this.last = { scrollHeight, clientHeight };
  }

  private firstInView(): Element | null {
    const { top } = this.list.current!.getBoundingClientRect();
    const items = this.list.current!.querySelectorAll('[data-seq]');
    let [low, high] = [0, items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (items[middle]!.getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    return items[low] ?? null;
  }

  private showWanted(): void {
    if (this.wanted === null) return;
    const item = this.list.current!.querySelector<HTMLElement>(`[data-seq="${this.wanted}"]`);
    if (item === null) return;
    this.wanted = null;
    item.scrollIntoView({ block: 'center' });
    item.focus({ preventScroll: true });
    delete item.dataset.found;
    // Reading a size makes the browser start the animation again.
    void item.offsetWidth;
    item.dataset.found = '';
  }

  override render(): ReactNode {
    return (
      <div className="scroll" ref={this.list} onScroll={this.onScroll} tabIndex={0} role="group" aria-label={t('messages')}>
        <div ref={this.content}>{this.props.children}</div>
      </div>
    );
  }
}
