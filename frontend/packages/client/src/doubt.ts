import type { Position, SessionRestored } from './messages.js';
import { showsAll, showsSince } from './timeline.js';

/** What to do with messages that may have been sent, and that the log does not know. */
export type Doubt = 'send' | 'ask' | 'give_back';

/** What the answer to a restore says about the log. */
export interface Restored extends Pick<SessionRestored, 'mode' | 'last_n' | 'position'> {
  chat_history: readonly { seq: number }[];
}

/** Return what to do with messages sent first at `since`, after a restore from `asked`. */
export function judge(since: Position | null, asked: Position | null, restored: Restored): Doubt {
  const { mode, last_n: lastN, position, chat_history: history } = restored;
  if (mode !== 'full' || lastN > 0 || since === null) return 'send';
  // A merge keeps messages under a new epoch, at other seqs: only all of the log shows it.
  if (since.epoch !== position.epoch) return showsAll(history, position) ? 'send' : 'give_back';
  if (showsSince(history, since) || position.seq <= since.seq) return 'send';
  return asked?.epoch === position.epoch ? 'give_back' : 'ask';
}

/** What shows that the log has a message of ours: its event, or the log's `last_n` alone. */
export type Evidence = 'events' | 'number' | 'ask';

/**
 * Return what shows that a log with our numbers has our messages, first sent at `since`.
 *
 * `events`: the history shows the text of each number, or its event is still on the way. `ask`: a
 * restore from `since` shows it. `number`: nothing shows it, so `last_n` must be believed.
 */
export function chooseEvidence(since: Position | null, asked: Position | null, restored: Restored): Evidence {
  const { mode, position, chat_history: history } = restored;
  if (since?.epoch !== position.epoch) return 'number';
  if (mode === 'replay' || showsSince(history, since)) return 'events';
  return asked?.epoch === since.epoch && asked.seq === since.seq ? 'number' : 'ask';
}
