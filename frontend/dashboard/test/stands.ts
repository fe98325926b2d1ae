import type { ColourState, Happening, Move, PastRollout, Reason, Rollout, Stand, Step } from '../src/model.js';

/** A moment that all examples are around. */
export const NOW = 1_790_000_000;
const TITLES: [phase: string, title: string][] = [
  ['prepare', 'read the present state'],
  ['prepare', 'start the candidate'],
  ['health', 'wait until it is healthy'],
  ['health', 'prove Redis and real session data'],
  ['canary', 'canary 10 %'],
  ['canary', 'canary 50 %'],
  ['canary', 'canary 100 %'],
  ['migrate', 'migrate live sessions'],
  ['migrate', 'wait for stragglers'],
  ['finish', 'confirm that the old slot is empty'],
  ['finish', 'stop the old version'],
  ['finish', 'promote the candidate'],
];
export const DIED: Reason = { code: 'died', fields: { colour: 'green', exit: 'exit code 3' } };
const WHY = 'green died while clients could be on it, last exit: exit code 3';

export function aSlot(release: string | null, change: Partial<ColourState> = {}): ColourState {
  const there = release !== null;
  return {
    release,
    content: null,
    running: there,
    healthy: there,
    restarts: 0,
    last_exit: null,
    connections: there ? 1284 : 0,
    clients: there ? 1272 : 0,
    sessions: there ? 131 : 0,
    trouble: null,
    ...change,
  };
}

const NO_MOVE: Move = { told: 0, moved: 0, stragglers: 0, remaining: 0, rate_per_second: 0, verdict: null, connections: [] };

export function aStand(change: Partial<Stand> = {}): Stand {
  return {
    at: NOW,
    address: 'http://127.0.0.1:8080',
    stable: { colour: 'blue', release: 'v1.0', since: NOW - 86_400 * 3 },
    previous: { colour: 'green', release: 'v0.9' },
    engine: null,
    rollout: null,
    seen: { weights_verified: { blue: 100, green: 0 }, colours: { blue: aSlot('v1.0'), green: aSlot(null) } },
    fault: null,
    move: NO_MOVE,
    ...change,
  };
}

/** A rollout of v1.1 at a step, from 1. */
export function aRollout(step: number, change: Partial<Rollout> = {}): Rollout {
  const [phase, title] = TITLES[step - 1]!;
  const steps: Step[] = TITLES.map(([of, name], index) => ({
    number: index + 1,
    title: name,
    phase: of,
    began: index < step ? NOW - 60 + index * 4 : null,
    ended: index < step - 1 ? NOW - 56 + index * 4 : null,
  }));
  return {
    id: '20260926-120000-ab12',
    release: 'v1.1',
    content: null,
    candidate: 'green',
    outcome: 'running',
    reason: '',
    step: { number: step, of: 12, title },
    phase,
    paused: false,
    began: NOW - 64,
    ended: null,
    weights_desired: { blue: 90, green: 10 },
    steps,
    judgements: [],
    bake: null,
    rollback: null,
    ...change,
  };
}

const ENGINE = { who: 'ann@host', what: 'deploy v1.1' };

/** v1.1 is being deployed, and is at a step. */
export function deployingAt(step: number, change: Partial<Rollout> = {}, more: Partial<Stand> = {}): Stand {
  const share = step < 5 ? 0 : [10, 50, 100][step - 5] ?? 100;
  const green = Math.round((1272 * share) / 100);
  return aStand({
    engine: ENGINE,
    rollout: aRollout(step, { weights_desired: { blue: 100 - share, green: share }, ...change }),
    seen: {
      weights_verified: { blue: 100 - share, green: share },
      colours: {
        blue: step > 11 ? aSlot(null) : aSlot('v1.0', { clients: 1272 - green, connections: 1284 - green, sessions: 131 - Math.round(share) }),
        green: step < 2 ? aSlot(null) : aSlot('v1.1', { clients: green, connections: green, sessions: share, healthy: step > 3 }),
      },
    },
    move: {
      told: green + 20,
      moved: green,
      stragglers: step > 8 ? 3 : 0,
      remaining: 1272 - green,
      rate_per_second: step === 8 ? 87.4 : 0,
      verdict: step > 4 && step < 8 ? { kind: 'hold', reason: 'only 3 attempts, 20 are needed', reasons: [{ code: 'few_attempts', fields: { count: '3', needed: '20' } }], figures: { requests: 3 } } : null,
      connections: Array.from({ length: 60 }, (_, second) => [NOW - 60 + second, 1272 - Math.round((green * second) / 60), Math.round((green * second) / 60)]),
    },
    ...more,
  });
}

const ROLLBACK = { reason: WHY, reasons: [DIED], began: NOW - 9, new_connections_home: NOW - 8.6, last_session_home: null };

export function ended(outcome: Rollout['outcome'], step: number, change: Partial<Rollout> = {}): Stand {
  const back = outcome === 'rolled_back' || outcome === 'stuck' ? { ...ROLLBACK, last_session_home: NOW - 4 } : null;
  const reasons = outcome === 'promoted' ? [] : [DIED];
  const rollout = aRollout(step, { outcome, reason: WHY, reasons, ended: NOW, rollback: back, ...change });
  if (outcome !== 'promoted') return aStand({ rollout });
  return aStand({
    rollout,
    stable: { colour: 'green', release: 'v1.1', since: NOW },
    previous: { colour: 'blue', release: 'v1.0' },
    seen: { weights_verified: { blue: 0, green: 100 }, colours: { blue: aSlot(null), green: aSlot('v1.1') } },
    move: { ...NO_MOVE, told: 1272, moved: 1269, stragglers: 3 },
  });
}

const four = (name: string): ColourState['processes'] =>
  [1, 2, 3, 4].map((number) => ({
    name: `${name}-${number}`,
    pid: 4000 + number,
    ready: number !== 3,
    reason: number === 3 ? 'Redis: no answer in 2 s' : null,
    connections: 300 + number * 7,
    sessions: 32,
    cpu_pct: 12.4 * number,
    restarts: number === 3 ? 2 : 0,
    evacuated: number === 4,
  }));

const UNWELL: Partial<ColourState> = { healthy: false, trouble: 'Redis: no answer in 2 s', trouble_reasons: [{ code: 'other', fields: { text: 'Redis: no answer in 2 s' } }] };

/** Every state of the page. */
export const STATES: Record<string, Stand> = {
  none: aStand({ stable: null, previous: null, seen: { weights_verified: null, colours: { blue: aSlot(null), green: aSlot(null) } } }),
  first: aStand({ previous: null }),
  prepare: deployingAt(2),
  health: deployingAt(3),
  canary: deployingAt(5),
  bake: deployingAt(6, { bake: [NOW - 4, 15], judgements: [{ weight: 10, kind: 'pass', reason: 'within every limit in 214 attempts', reasons: [{ code: 'within_limits', fields: { count: '214' } }], figures: { requests: 214, '5xx': 0 } }] }),
  paused: deployingAt(6, { paused: true, paused_by: 'ann (dashboard, from 127.0.0.1)' }),
  migrate: deployingAt(8),
  stragglers: deployingAt(9),
  finish: deployingAt(11),
  promoted: ended('promoted', 12),
  rollingBack: deployingAt(6, { rollback: ROLLBACK }),
  rolledBack: ended('rolled_back', 6),
  aborted: ended('rolled_back', 3, { reason: 'abort asked by ann (dashboard, from 127.0.0.1)', reasons: [{ code: 'asked', fields: { kind: 'abort', who: 'ann (dashboard, from 127.0.0.1)' } }] }),
  refused: ended('refused', 1, { reason: 'the stable colour is not well: blue is not ready: Redis: no answer', reasons: [{ code: 'stable_sick', fields: { slot: [{ code: 'not_ready', fields: { colour: 'blue', trouble: 'Redis: no answer' } }] } }] }),
  stuck: { ...ended('stuck', 6), seen: { weights_verified: { blue: 0, green: 100 }, colours: { blue: aSlot('v1.0', UNWELL), green: aSlot('v1.1') } } },
  engineDied: deployingAt(6, {}, { engine: null }),
  standby: aStand({ standby: true, previous: null }),
  unreachable: aStand({ seen: null, fault: 'the balancer does not answer: connection refused' }),
  relayed: deployingAt(9, {}, {
    seen: {
      weights_verified: { blue: 0, green: 100 },
      colours: {
        blue: aSlot('shop-v1', { clients: 9, migration: { failures: { refused: 5, never_quiet: 2 }, closed_for: { protocol: 2 } }, side_programs: ['worker', 'mailer'], side_programs_down: ['mailer (exit code 1)'] }),
        green: aSlot('shop-v2', { restarts: 1, last_exit: 'exit code 3: boom', side_programs: ['worker', 'mailer'] }),
      },
    },
  }),
  processes: aStand({
    seen: { weights_verified: { blue: 100, green: 0 }, colours: { blue: aSlot('v1.0', { processes: four('blue') }), green: aSlot(null) } },
  }),
  long: ended('rolled_back', 6, {
    release: 'feature-a-very-long-name-of-a-branch-that-fits-into-no-column-here-0',
    content: 'git-0123456789abcdef0123456789abcdef01234567',
    reason: `canary 10 %: 5xx 31.2 % (10 of 32; limit 1 %, stable 0 %); a probe says: HTTP 500 for /${'x'.repeat(90)}`,
    reasons: [],
  }),
  failedStart: aStand({ started: { verb: 'deploy', who: 'ann', at: NOW, exit_code: 2, last_lines: ["there is no commit 'git:mian' in this repository"] } }),
};

/** Rollouts of the past, newest first: `r999` is the last of a thousand. */
export function somePast(count: number): PastRollout[] {
  const outcomes = ['promoted', 'rolled_back', 'promoted', 'refused', 'promoted', 'stuck'] as const;
  return Array.from({ length: count }, (_, index) => {
    const outcome = outcomes[index % outcomes.length]!;
    return {
      id: `r${count - 1 - index}`,
      release: `v1.${count - index}`,
      content: index % 4 === 0 ? 'git-0123456789abcdef0123456789abcdef01234567' : null,
      previous_release: `v1.${count - index - 1}`,
      outcome,
      reason: outcome === 'promoted' ? '' : WHY,
      reasons: outcome === 'promoted' ? [] : [DIED],
      live: index === 0,
      returning: index % 9 === 8,
      began: NOW - index * 3600,
      seconds: 71.4 + index,
      rollback_seconds: null,
      report: `/api/reports/r${count - 1 - index}`,
    };
  });
}

export const HAPPENINGS: Happening[] = [
  { at: NOW - 60, step: 1, what: 'asked', why: 'deploy of v1.1 asked by ann (dashboard, from 127.0.0.1)' },
  { at: NOW - 50, step: 5, what: 'pause', why: 'asked by bob' },
  { at: NOW - 9, step: 6, what: 'rollback', why: WHY, reasons: [DIED] },
];
