import { useLayoutEffect, useRef, type RefObject, type UIEvent } from 'react';

const NEAR_PX = 80;

interface Scroll {
  list: RefObject<HTMLDivElement | null>;
  onScroll: (event: UIEvent<HTMLElement>) => void;
  toBottom: () => void;
}

/**
 * Keep the scroll position of a list: at the end while new items arrive, or at the item being
 * read while older items are added above.
 *
 * `first` identifies the first item; `reachTop` is called when it comes near.
 */
export function useScroll(first: number | undefined, reachTop: () => void): Scroll {
  const list = useRef<HTMLDivElement>(null);
  const atBottom = useRef(true);
  const seen = useRef({ first, height: 0, scrollTop: 0 });
  useLayoutEffect(() => {
    const { current } = list;
    if (current === null) return;
    const { scrollHeight, scrollTop, clientHeight } = current;
    // The event of a scroll comes with the next frame: the user may have left the end already.
    const toEnd = Math.min(scrollHeight, seen.current.height) - scrollTop - clientHeight;
    if (scrollTop < seen.current.scrollTop && toEnd >= NEAR_PX) atBottom.current = false;
    if (atBottom.current) current.scrollTop = scrollHeight;
    else if (seen.current.first !== first) current.scrollTop += scrollHeight - seen.current.height;
    seen.current = { first, height: scrollHeight, scrollTop: current.scrollTop };
  });
  return {
    list,
    onScroll: ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
      atBottom.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
      seen.current.scrollTop = scrollTop;
      if (scrollTop < NEAR_PX) reachTop();
    },
    toBottom: () => {
      atBottom.current = true;
      seen.current.scrollTop = 0;
    },
  };
}
