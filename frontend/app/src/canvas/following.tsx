import { CaptureUpdateAction, getVisibleSceneBounds } from '@excalidraw/excalidraw';
import type { AppState, ExcalidrawImperativeAPI, NormalizedZoomValue } from '@excalidraw/excalidraw/types';
import { useEffect } from 'react';
import { t } from '../i18n.js';
import type { Following, View } from '../models/following.js';
import type { People } from '../models/people.js';
import { useChanges } from '../observable.js';
import { isField } from './press.js';

const SHOW_EVERY_MS = 100;
/** The editor's own bounds. */
const [MIN_ZOOM, MAX_ZOOM] = [0.1, 30];

/** Show the view of the client that is followed, and publish this one's to its followers. */
export function useFollowing(api: ExcalidrawImperativeAPI | null, following: Following): void {
  useEffect(() => {
    if (api === null) return;
    const sender = new ViewSender(api, following);
    const follow = (): void => {
      const { view } = following;
      if (view === null) return sender.schedule();
      api.updateScene({ appState: fit(view, api.getAppState()), captureUpdate: CaptureUpdateAction.NEVER });
    };
    const stops = [following.observeViews(follow), following.observe(follow), api.onScrollChange(sender.schedule), () => sender.stop()];
    return () => stops.forEach((stop) => stop());
  }, [api, following]);
}

/** Return the scroll and zoom at which all of a view is seen, as large as it can be. */
function fit([left, top, right, bottom]: View, { width, height }: AppState): Pick<AppState, 'scrollX' | 'scrollY' | 'zoom'> {
  const exact = Math.min(width / (right - left), height / (bottom - top));
  const value = Math.min(Math.max(exact, MIN_ZOOM), MAX_ZOOM) as NormalizedZoomValue;
  return { scrollX: width / 2 / value - (left + right) / 2, scrollY: height / 2 / value - (top + bottom) / 2, zoom: { value } };
}

/** Publishes what is seen of the canvas, at most every 100 ms, while it is followed. */
class ViewSender {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shown = '';

  constructor(
    private readonly api: ExcalidrawImperativeAPI,
    private readonly following: Following,
  ) {}

  readonly schedule = (): void => {
    if (this.following.isShown) this.timer ??= setTimeout(this.show, SHOW_EVERY_MS);
    else this.shown = '';
  };

  stop(): void {
    clearTimeout(this.timer);
  }

  private readonly show = (): void => {
    this.timer = undefined;
    const [left, top, right, bottom] = getVisibleSceneBounds(this.api.getAppState());
    const shown = [left, top, right, bottom].join();
    if (!this.following.isShown || shown === this.shown) return;
    this.shown = shown;
    this.following.show([left, top, right, bottom]);
  };
}

/** A frame in the colour of the client that is followed, with a button that ends it. */
export function FollowedFrame({ following, people }: { following: Following; people: People }) {
  useChanges(following);
  useChanges(people);
  const { followed, stop } = following;
  useEffect(() => {
    if (followed === null) return;
    const listener = ({ key, target }: KeyboardEvent): void => {
      // An Escape that closes a menu is for the menu.
      if (key === 'Escape' && !isField(target) && document.querySelector(':popover-open') === null) stop();
    };
    addEventListener('keydown', listener, { capture: true });
    return () => removeEventListener('keydown', listener, { capture: true });
  }, [followed, stop]);
  if (followed === null) return null;
  return (
    <div className={`followed tint-${people.tintOf(followed)}`}>
      <p role="status">
        {t('followed', { name: people.nameOf(followed) })}
        <button type="button" onClick={stop}>
          {t('stopFollowing')}
        </button>
      </p>
    </div>
  );
}
