import { h } from '@isshoni/paper';
import type { Rollout, Stand } from '../api.js';
import { stepTitle, t } from '../i18n.js';
import { sayClock } from '../numbers.js';
import type { View } from './view.js';

/** One line with the state of the last rollout, and one with its step, reason or address. */
export function headline(): View {
  const title = h('h1');
  const under = h('p', { class: 'under' });
  const fault = h('p', { class: 'fault', role: 'alert' });
  const element = h('div', { class: 'headline' }, title, under, fault);
  const update = (stand: Stand): void => {
    title.textContent = say(stand);
    under.textContent = sayWhere(stand);
    fault.textContent = stand.fault ?? sayWhatIsLeft(stand);
    element.classList.toggle('bad', isBad(stand));
  };
  return { element, update };
}

const isBad = ({ rollout }: Stand): boolean =>
  rollout !== null && (rollout.rollback !== null || rollout.outcome === 'stuck');

/** Return how to continue a rollout or rollback that no engine works on; '' if there is none. */
function sayWhatIsLeft({ rollout, engine }: Stand): string {
  if (rollout?.outcome !== 'running' || engine !== null) return '';
  return t(rollout.rollback === null ? 'noEngine' : 'noEngineBack');
}

function say({ rollout, stable }: Stand): string {
  if (rollout === null || rollout.outcome === 'promoted') {
    return stable === null ? t('nothingYet') : t('isLive', { release: stable.release });
  }
  const { release, outcome } = rollout;
  if (outcome !== 'running') return t(outcome, { release });
  if (rollout.rollback !== null) return t('rollingBack', { release });
  return t(rollout.paused ? 'paused' : 'deploying', { release });
}

function sayWhere({ rollout, at, address }: Stand): string {
  if (rollout === null) return address;
  if (rollout.outcome !== 'running') return rollout.outcome === 'promoted' ? address : rollout.reason;
  if (rollout.rollback !== null) return rollout.rollback.reason;
  const { step } = rollout;
  const where = t('stepOf', { number: step.number, of: step.of, title: stepTitle(step.title) });
  return [where, sayBake(rollout, at), sayClock(at - rollout.began)].filter((part) => part !== '').join(' · ');
}

function sayBake({ bake }: Rollout, at: number): string {
  if (bake === null) return '';
  const left = bake[0] + bake[1] - at;
  return left > 0 ? t('baking', { left: left.toFixed(0) }) : '';
}
