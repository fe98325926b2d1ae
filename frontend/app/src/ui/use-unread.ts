import { useCallback, useEffect, type RefObject } from 'react';
import { useChanges } from '../observable.js';
import type { Session } from '../session.js';
import type { Scroller } from './scroller.js';

/**
 * Keep what is unread: read is what was at the end of the list while the page and its chat could be seen.
 *
 * `tab` is what a phone shows; the chat is beside the canvas elsewhere.
 */
export function useUnread({ unread }: Session, scroller: RefObject<Scroller | null>, tab: string): { look: () => void; toNewest: () => void } {
  const look = useCallback(() => unread.look(), [unread]);
  useEffect(() => {
    const stop = unread.watch(() => !document.hidden && scroller.current?.isVisible === true && scroller.current.isAtEnd);
    document.addEventListener('visibilitychange', look);
    return () => {
      stop();
      document.removeEventListener('visibilitychange', look);
    };
  }, [unread, scroller, look]);
  useEffect(look, [look, tab]);
  const toNewest = useCallback(() => {
    scroller.current?.toEnd();
    unread.look();
  }, [scroller, unread]);
  return { look, toNewest };
}

/** Set the page's title: the session's name, after the number of unread messages. */
export function useTitle({ id, unread }: Session): void {
  useChanges(unread);
  const { count } = unread;
  useEffect(() => void (document.title = `${count > 0 ? `(${count}) ` : ''}${id} · isshoni`), [id, count]);
}
