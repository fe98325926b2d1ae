import { h } from '@isshoni/paper';
import { nameOf, type Rollout, type Stand } from '../model.js';
import { stepTitle, t } from '../i18n.js';
import { sayClock, sayTime } from '../numbers.js';
import { sayReason } from '../reasons.js';
import type { View } from './view.js';

/** What is live, since when; and below it the last rollout, if it is not what made it live. */
export function headline(): View {
  const title = h('h1');
  const since = h('p', { class: 'since' });
  const state = h('p', { class: 'state' });
  const under = h('p', { class: 'under' });
  const fault = h('p', { class: 'fault', role: 'alert' });
  const element = h('div', { class: 'headline' }, title, since, state, under, fault);
  const update = (stand: Stand): void => {
    title.textContent = sayLive(stand);
    title.classList.toggle('sick', isSick(stand) || (isUnseen(stand) && stand.stable !== null));
    since.textContent = saySince(stand);
    state.textContent = sayState(stand);
    state.dataset.state = stateOf(stand);
    under.textContent = sayWhere(stand);
    fault.textContent = sayFault(stand);
  };
  return { element, update };
}

/** Return which release serves, and where. */
export function sayLive(stand: Stand): string {
  if (stand.stable === null) return t('nothingYet');
  const names = { release: nameOf(stand.stable), colour: t(stand.stable.colour) };
  if (isUnseen(stand)) return t('isUnseen', names);
  if (isSick(stand)) return t('isSick', names);
  return t(stand.standby === true ? 'standsBy' : 'isLive', names);
}

/** True if nothing can be read of the environment, so that nothing may be live. */
function isUnseen({ seen, rollout }: Stand): boolean {
  return seen === null && rollout?.outcome !== 'running';
}

/** True if the live release is seen not to serve. */
function isSick({ stable, seen, rollout }: Stand): boolean {
  const state = stable && seen?.colours[stable.colour];
  // While a rollout runs, the cards and the state below say more.
  return Boolean(state && !(state.running && state.healthy) && rollout?.outcome !== 'running');
}

function saySince(stand: Stand): string {
  const { stable, address } = stand;
  // Below another headline it would say since when the release is not healthy.
  const known = stable?.since !== undefined && !isSick(stand) && !isUnseen(stand) && stand.standby !== true;
  const since = known ? t('since', { at: sayTime(stable.since!) }) : '';
  return [since, address].filter((part) => part !== '').join(' · ');
}

/** Return the state of the last rollout; '' if it ended well or there was none. */
export function sayState({ rollout }: Stand): string {
  if (rollout === null || rollout.outcome === 'promoted') return '';
  const release = nameOf(rollout);
  if (rollout.outcome !== 'running') return t(rollout.outcome, { release });
  if (rollout.rollback !== null) return t('rollingBack', { release });
  return t(rollout.paused ? 'paused' : 'deploying', { release });
}

function stateOf({ rollout }: Stand): string {
  if (rollout === null) return 'none';
  if (rollout.outcome === 'running') return rollout.rollback === null ? 'running' : 'bad';
  return rollout.outcome === 'refused' || rollout.outcome === 'promoted' ? 'none' : 'bad';
}

function sayWhere({ rollout, at }: Stand): string {
  if (rollout === null || rollout.outcome === 'promoted') return '';
  if (rollout.outcome !== 'running') return sayReason(rollout.reason, rollout.reasons);
  if (rollout.rollback !== null) return sayReason(rollout.rollback.reason, rollout.rollback.reasons);
  const { step } = rollout;
  const where = t('stepOf', { number: step.number, of: step.of, title: stepTitle(step.title) });
  const paused = rollout.paused && rollout.paused_by ? t('pausedBy', { who: rollout.paused_by }) : '';
  return [where, sayBake(rollout, at), sayClock(at - rollout.began), paused].filter((part) => part !== '').join(' · ');
}

function sayBake({ bake }: Rollout, at: number): string {
  if (bake === null) return '';
  const left = bake[0] + bake[1] - at;
  return left > 0 ? t('baking', { left: left.toFixed(0) }) : '';
}

function sayFault(stand: Stand): string {
  return [stand.fault ?? '', sayWhatIsLeft(stand), sayFailedStart(stand)].filter((part) => part !== '').join(' ');
}

/** Return how to continue a rollout or rollback that no engine works on; '' if there is none. */
function sayWhatIsLeft({ rollout, engine }: Stand): string {
  if (rollout?.outcome !== 'running' || engine !== null) return '';
  return t(rollout.rollback === null ? 'noEngine' : 'noEngineBack');
}

/** Return why a command of the dashboard failed before its rollout began; '' if it did not. */
function sayFailedStart({ started, rollout }: Stand): string {
  const code = started?.exit_code ?? 0;
  if (!started || code === 0 || (rollout !== null && rollout.began >= started.at)) return '';
  return t('startedFailed', { verb: started.verb, code, lines: started.last_lines.join(' ') });
}
