export type Colour = 'blue' | 'green';
export const COLOURS: readonly Colour[] = ['blue', 'green'];

export interface Step {
  number: number;
  title: string;
  phase: string;
  began: number | null;
  ended: number | null;
}

/** A reason as its code, and fields that are texts or further reasons. */
export interface Reason {
  code: string;
  fields: Record<string, string | Reason[]>;
}

export interface Verdict {
  kind: 'pass' | 'hold' | 'fail' | 'inconclusive';
  reason: string;
  reasons?: Reason[];
  figures: Record<string, number>;
}

/** A release's label, and its content id: `git-COMMIT`, `directory-DIGEST`. */
export interface Named {
  release: string | null;
  content?: string | null;
}

/** The label with its commit or digest, as two releases may have one label. */
export function nameOf({ release, content }: Named): string {
  if (!release || !content) return release ?? '';
  const [kind, digest] = content.split('-', 2);
  return `${release} (${kind === 'git' ? 'commit' : kind} ${digest?.slice(0, 12)})`;
}

export interface Rollout extends Named {
  id: string;
  release: string;
  candidate: Colour;
  outcome: 'running' | 'promoted' | 'rolled_back' | 'refused' | 'stuck';
  reason: string;
  reasons?: Reason[];
  step: { number: number; of: number; title: string };
  phase: string;
  paused: boolean;
  paused_by?: string | null;
  began: number;
  ended: number | null;
  weights_desired: Record<Colour, number> | null;
  steps: Step[];
  judgements: (Verdict & { weight: number })[];
  bake: [began: number, seconds: number] | null;
  rollback: {
    reason: string;
    reasons?: Reason[];
    began: number;
    new_connections_home: number | null;
    last_session_home: number | null;
  } | null;
}

export interface ColourState extends Named {
  release: string | null;
  running: boolean;
  healthy: boolean;
  restarts: number;
  last_exit: string | null;
  connections: number;
  /** The connections without those of probes; missing from a server of before. */
  clients?: number;
  sessions: number | null;
  /** The backend's own reason why it is not ready or cannot save. */
  trouble: string | null;
  trouble_reasons?: Reason[];
  side_programs?: string[];
  side_programs_down?: string[];
  migration?: Migration | null;
  /** Missing from a server of before processes. */
  processes?: ProcessState[];
}

/** A move away from a slot; a relay says why clients could not be moved. */
export interface Migration {
  failures?: Record<string, number>;
  closed_for?: Record<string, number>;
}

/** One process of a slot. */
export interface ProcessState {
  name: string;
  ready: boolean;
  reason: string | null;
  connections: number;
  sessions?: number;
  cpu_pct?: number;
  pid?: number | null;
  restarts: number;
  evacuated: boolean;
}

export interface Move {
  told: number;
  moved: number;
  stragglers: number;
  remaining: number;
  rate_per_second: number;
  verdict: Verdict | null;
  connections: [at: number, blue: number, green: number][];
}

/** The state of the environment as the server observed it at `at` (seconds since 1970). */
export interface Stand {
  at: number;
  address: string;
  /** True if it is a region that stands by; missing from a server of before. */
  standby?: boolean;
  stable: (Named & { colour: Colour; release: string; since?: number }) | null;
  previous: (Named & { colour: Colour; release: string }) | null;
  engine: { who: string; what: string } | null;
  rollout: Rollout | null;
  seen: { weights_verified: Record<Colour, number> | null; colours: Record<Colour, ColourState> } | null;
  fault: string | null;
  move: Move;
  started?: Started | null;
}

/** A command that the dashboard started. */
export interface Started {
  verb: string;
  who: string;
  at: number;
  /** Null: it runs. */
  exit_code: number | null;
  last_lines: string[];
}

export interface PastRollout extends Named {
  id: string;
  release: string;
  previous_release: string;
  previous_content?: string | null;
  outcome: Rollout['outcome'];
  reason: string;
  reasons?: Reason[];
  /** True if it brought the release that is live now. */
  live?: boolean;
  /** True if it deployed an earlier release again; a server of before does not say. */
  returning?: boolean;
  began: number;
  seconds: number;
  rollback_seconds: { new_connections: number | null; last_session: number | null } | null;
  report: string | null;
}

export type Action = 'pause' | 'resume' | 'abort' | 'rollback' | 'promote';

/** What a token may do. */
export interface Permissions {
  acts: boolean;
  deploys: boolean;
}

/** One thing that happened in a rollout. */
export interface Happening {
  at: number;
  step: number;
  what: string;
  why: string;
  reasons?: Reason[];
}

/** What a deploy would do, as `isshoni deploy --dry-run --json` says it. */
export interface DeployPlan {
  release: Programmed;
  stable: { colour: Colour; release: Programmed };
  steps: { number: number; title: string; phase: string; weight: number | null }[];
  plan: { bake_seconds: number };
}

export interface Programmed {
  label: string;
  content?: string | null;
  command?: string | null;
}

/** The last rollout as the page shows it: the server refuses an action if it is another by now. */
export interface Seen {
  rollout: string | null;
  outcome: string | null;
}
