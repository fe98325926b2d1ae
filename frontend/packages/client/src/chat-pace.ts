/** How fast, and how often, our messages are sent again. */

/** Pause before a resend, so that several errors about one burst cause only one. */
export const RESEND_PAUSE_MS = 100;
/** Messages that a server accepts at once after it limited our rate and we paused. */
export const AFTER_PAUSE = 50;
export const LONGEST_PACE_MS = 60_000;
/** Time for the last messages of an earlier life to arrive; repeated while answers take `SLOW_MS`. */
export const NEW_LIFE_MS = 1000;
export const SLOW_MS = NEW_LIFE_MS / 4;
/** Time for another life of the client to stop sending, after each of its messages. */
export const OTHER_LIFE_MS = 10_000;
/** Time for the event of an acknowledged number to arrive; then we restore. */
export const EVENT_PATIENCE_MS = 2000;

/** Errors of a message after which no resend can succeed. */
export const NEVER_ACCEPTED = ['too_large', 'bad_message', 'read_only'];
