/**
 * The states of a client's connections, and the one table of their transitions.
 *
 * Pure: no sockets, timers or clocks. `Lifeline` carries out the effects. The Python client has
 * the same table, and both pass tests/vectors/connections.json. A connection is its number.
 */
export type State =
  /** Nothing was asked for yet. */
  | { is: 'idle' }
  /** There is no connection; `next` is being opened. */
  | { is: 'opening'; next: number }
  /** There is no connection, and a pause before the next one is opened. */
  | { is: 'waiting' }
  /** `current` is open and restored. */
  | { is: 'live'; current: number }
  /** `next` is being opened, with a ticket for `to`, while `current` is in use. */
  | { is: 'moving'; current: number; next: number; to: string }
  /** The connection in use was lost during a move: `next` becomes the return if it is soon. */
  | { is: 'stranded'; next: number }
  /** The server said: do not come back. */
  | { is: 'refused' };

export type Event =
  /** Open a connection, at first or after a pause; it gets the number `new`. */
  | { do: 'open'; new: number }
  /** The server asks to move to `to`; a connection that this needs gets the number `new`. */
  | { do: 'migrate'; to: string; new: number }
  /** The restore of a connection was answered. */
  | { do: 'restored'; connection: number }
  /** A connection ended; `comes_back` is false if the server forbids to come back. */
  | { do: 'lost'; connection: number; comes_back: boolean }
  /** The time for a move that became the return is over. */
  | { do: 'overdue' };

export type Report = 'restored' | 'moved' | 'lost' | 'refused' | 'move_failed';

/** What the client must do, in order. */
export type Effect =
  | { do: 'connect'; connection: number; to?: string }
  | { do: 'release'; connection: number }
  | { do: 'wait' }
  | { do: 'hurry' }
  | { do: 'report'; connection: number; report: Report };

export type Step = [State, Effect[]];

const WAIT: Effect = { do: 'wait' };
const connect = (connection: number, to?: string): Effect => ({ do: 'connect', connection, ...(to && { to }) });
const release = (connection: number): Effect => ({ do: 'release', connection });
const report = (kind: Report, connection: number): Effect => ({ do: 'report', connection, report: kind });

/**
 * Return the state after an event, and the effects.
 *
 * What is not listed changes nothing: a late event of a connection that was replaced.
 */
export function step(state: State, event: Event): Step {
  switch (event.do) {
    case 'open':
      if (state.is !== 'idle' && state.is !== 'waiting') break;
      return [{ is: 'opening', next: event.new }, [connect(event.new)]];
    case 'migrate':
      return migrate(state, event.to, event.new);
    case 'restored':
      return restore(state, event.connection);
    case 'lost':
      return lose(state, event.connection, event.comes_back);
    case 'overdue':
      if (state.is === 'stranded') return [{ is: 'waiting' }, [release(state.next), WAIT]];
  }
  return [state, []];
}

function migrate(state: State, to: string, next: number): Step {
  if (state.is === 'live') return [{ is: 'moving', current: state.current, next, to }, [connect(next, to)]];
  // The server's latest word counts; asked again for the same, the move just continues.
  if (state.is !== 'moving' || state.to === to) return [state, []];
  return [{ is: 'moving', current: state.current, next, to }, [release(state.next), connect(next, to)]];
}

function restore(state: State, connection: number): Step {
  if (!('next' in state) || state.next !== connection) return [state, []];
  const live: State = { is: 'live', current: connection };
  if (state.is === 'moving') return [live, [report('moved', connection), release(state.current)]];
  return [live, [report('restored', connection)]];
}

function lose(state: State, lost: number, comesBack: boolean): Step {
  if ('current' in state && state.current === lost) return loseCurrent(state, lost, comesBack);
  if (!('next' in state) || state.next !== lost) return [state, []];
  // A move that failed, for whatever reason, leaves the client where it is.
  if (state.is === 'moving') return [{ is: 'live', current: state.current }, [report('move_failed', lost)]];
  if (comesBack || state.is === 'stranded') return [{ is: 'waiting' }, [WAIT]];
  return [{ is: 'refused' }, [report('refused', lost)]];
}

function loseCurrent(state: State, lost: number, comesBack: boolean): Step {
  const effects = [report('lost', lost)];
  const next = state.is === 'moving' ? state.next : null;
  if (!comesBack) {
    if (next !== null) effects.push(release(next));
    return [{ is: 'refused' }, [...effects, report('refused', lost)]];
  }
  if (next === null) return [{ is: 'waiting' }, [...effects, WAIT]];
  return [{ is: 'stranded', next }, [...effects, { do: 'hurry' }]];
}
