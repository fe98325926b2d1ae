/** The session core passes the vectors that every client shares (tests/vectors). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Addresses } from '../src/addresses.js';
import { Backoff, DEFAULT_BACKOFF, readWaitMs } from '../src/backoff.js';
import type { ChatContent } from '../src/chat-content.js';
import { step, type Effect, type Event, type State } from '../src/connection-states.js';
import type { Doubt } from '../src/doubt.js';
import { EventTail } from '../src/event-tail.js';
import type { Position, SessionRestored } from '../src/messages.js';
import type { OutboxState } from '../src/outbox-state.js';
import { Outbox } from '../src/outbox.js';
import { Timeline, type Delivery } from '../src/timeline.js';

interface Vectors<Step> {
  cases: { name: string; steps: Step[] }[];
}

const read = <File>(name: string): File =>
  JSON.parse(readFileSync(new URL(`../../../../tests/vectors/${name}.json`, import.meta.url), 'utf8')) as File;

interface DoubtStep {
  do: 'doubt';
  asked?: Position;
  mode: SessionRestored['mode'];
  last_n: number;
  stand: Position;
  first: number | null;
  is: Doubt;
}

type OutboxStep =
  | { do: 'settle'; last_n: number; renumbers: [number, number][] }
  | { do: 'answer'; n: number; resend: boolean; gives: number[] }
  | { do: 'content'; is: ChatContent[] }
  | ChatContent & { do: 'notice'; n: number; acknowledges: number[]; renumbers: [number, number][]; foreign?: boolean }
  | { do: 'due'; from: number; is: number[]; at?: Position }
  | DoubtStep
  | { do: 'withdraw_sent'; is: number[] }
  | { do: 'withdraw'; n: number; gives: string | null; renumbers?: [number, number][] }
  | { do: 'reload' }
  | ChatContent & { do: 'add'; n: number }
  | { do: 'acknowledge'; n: number; gives: number[] }
  | { do: 'take_back'; last_n: number; gives: number }
  | { do: 'pending'; is: number[] }
  | { do: 'resend_from'; expected: number; is: number[] };

const toContent = ({ text, about, files }: ChatContent): ChatContent => ({ text, ...(about && { about }), ...(files && { files }) });

interface AddressStep {
  do: 'restored' | 'lost' | 'fail';
  address: string;
  alternatives: string[];
  at_once: boolean;
  is: string;
  rounds?: number;
}

describe('addresses', () => {
  test.each(read<Vectors<AddressStep>>('addresses').cases)('$name', ({ steps }) => {
    const addresses = new Addresses('wss://app.example');
    for (const step of steps) {
      if (step.do === 'restored') addresses.restored(step.address, step);
      else if (step.do === 'lost') addresses.lost();
      else expect(addresses.fail()).toBe(step.at_once);
      expect(addresses.current).toBe(step.is);
      if (step.rounds !== undefined) expect(addresses.failedRounds).toBe(step.rounds);
    }
  });
});

describe('outbox', () => {
  test.each(read<Vectors<OutboxStep>>('outbox').cases)('$name', ({ steps }) => {
    let outbox = Outbox.create('c-1');
    const numbers = (messages: readonly { n: number }[]): number[] => messages.map(({ n }) => n);
    for (const step of steps) {
      if (step.do === 'add') expect(outbox.add(toContent(step))).toMatchObject({ n: step.n, text: step.text });
      else if (step.do === 'content') expect(outbox.pending.map(toContent)).toEqual(step.is);
      else if (step.do === 'settle') expect(outbox.settle(step.last_n)).toEqual(step.renumbers);
      else if (step.do === 'answer') expect(outbox.answer(step.n, step.resend)).toEqual(step.gives);
      else if (step.do === 'notice') {
        const { acknowledges: acknowledged, renumbers: renumbered } = step;
        const isForeign = step.foreign ?? false;
        expect(outbox.notice(step)).toEqual({ acknowledged, renumbered, isForeign });
      } else if (step.do === 'due') {
        const due = outbox.due(step.from);
        expect(numbers(due)).toEqual(step.is);
        outbox.noteSent(due, step.at ?? null);
      } else if (step.do === 'doubt') {
        const { mode, last_n, stand: position, first } = step;
        const chat_history = first === null ? [] : [{ seq: first }];
        expect(outbox.assessDoubt(step.asked ?? null, { mode, last_n, position, chat_history })).toBe(step.is);
      } else if (step.do === 'withdraw_sent') expect(numbers(outbox.withdrawSent())).toEqual(step.is);
      else if (step.do === 'withdraw') {
        const withdrawn = outbox.withdraw(step.n);
        expect(withdrawn?.message.text ?? null).toBe(step.gives);
        expect(withdrawn?.renumbered ?? undefined).toEqual(step.renumbers);
      } else if (step.do === 'reload') outbox = Outbox.from(JSON.parse(JSON.stringify(outbox.toState())) as OutboxState);
      else if (step.do === 'acknowledge') expect(outbox.acknowledge(step.n)).toEqual(step.gives);
      else if (step.do === 'take_back') expect(outbox.takeBack(step.last_n)).toBe(step.gives);
      else if (step.do === 'pending') expect(outbox.pending.map((m) => m.n)).toEqual(step.is);
      else expect(outbox.resendFrom(step.expected).map((m) => m.n)).toEqual(step.is);
    }
  });
});

type TailStep = { epoch: string; seq: number } & (
  { do: 'add' } | { do: 'at'; is: number | null } | { do: 'after'; is: number[] }
);

describe('event tail', () => {
  test.each(read<Vectors<TailStep>>('event_tail').cases)('$name', ({ steps }) => {
    const tail = new EventTail();
    for (const step of steps) {
      const { epoch, seq } = step;
      if (step.do === 'add') tail.add(epoch, { type: 'chat', seq });
      else if (step.do === 'at') expect(tail.at(epoch, seq)?.seq ?? null).toBe(step.is);
      else expect(tail.after(epoch, seq).map((event) => event.seq)).toEqual(step.is);
    }
  });
});

interface Given {
  gives: { events: number[]; holes: [number, number][]; restarted: boolean; behind?: true };
  position: Position | null;
}
type TimelineStep = Given &
  (
    | { do: 'restore'; asked: Position | null; mode: SessionRestored['mode']; stand: Position; history: number[] }
    | { do: 'receive'; epoch: string; seq: number }
  );

const toGiven = ({ events, holes, restarted, isBehind }: Delivery<{ seq: number }>): Given['gives'] => ({
  events: events.map((event) => event.seq),
  holes: holes.map(({ first, last }) => [first, last]),
  restarted,
  ...(isBehind && { behind: true }),
});

describe('timeline', () => {
  test.each(read<Vectors<TimelineStep>>('timeline').cases)('$name', ({ steps }) => {
    const timeline = new Timeline<{ seq: number }>();
    for (const step of steps) {
      const delivery =
        step.do === 'receive'
          ? timeline.receive(step.epoch, { seq: step.seq })
          : timeline.restore(step.asked, step.mode, step.stand, step.history.map((seq) => ({ seq })));
      expect(toGiven(delivery)).toEqual(step.gives);
      expect(timeline.position).toEqual(step.position);
    }
  });
});

type BackoffFigures = Record<
  'first_seconds' | 'prompt_seconds' | 'factor' | 'longest_seconds' | 'stable_seconds',
  number
>;
interface BackoffVectors extends Vectors<BackoffStep> {
  policy: BackoffFigures;
  defaults: BackoffFigures;
}
type BackoffStep =
  | { do: 'restored'; now: number }
  | { do: 'wait'; retry_after_ms: number; is: number }
  | { do: 'next_delay'; now: number; prompt: boolean; longest?: number; random: number; is: number };

describe('backoff', () => {
  const { policy, defaults, cases } = read<BackoffVectors>('backoff');
  const inMs = (given: BackoffFigures) => ({
    firstMs: given.first_seconds * 1000,
    promptMs: given.prompt_seconds * 1000,
    factor: given.factor,
    longestMs: given.longest_seconds * 1000,
    stableMs: given.stable_seconds * 1000,
  });

  test('clients of either language wait alike', () => {
    expect(DEFAULT_BACKOFF).toEqual(inMs(defaults));
  });

  test.each(cases)('$name', ({ steps }) => {
    let random = 0;
    const backoff = new Backoff(inMs(policy), () => random);
    for (const step of steps) {
      if (step.do === 'restored') backoff.restored(step.now * 1000);
      else if (step.do === 'wait') expect(readWaitMs(step.retry_after_ms)).toBe(step.is * 1000);
      else {
        random = step.random;
        expect(backoff.nextDelayMs(step.now * 1000, step.prompt, (step.longest ?? Infinity) * 1000)).toBeCloseTo(step.is * 1000);
      }
    }
  });
});

interface StateStep {
  event: Event;
  state: State;
  effects: Effect[];
}

describe('connections', () => {
  test.each(read<Vectors<StateStep>>('connections').cases)('$name', ({ steps }) => {
    let state: State = { is: 'idle' };
    for (const { event, state: expected, effects } of steps) {
      const [next, done] = step(state, event);
      expect(next).toEqual(expected);
      expect(done).toEqual(effects);
      state = next;
    }
  });
});
