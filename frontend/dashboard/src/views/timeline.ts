import { h } from '@isshoni/paper';
import type { Rollout, Stand, Step } from '../model.js';
import { stepTitle, t } from '../i18n.js';
import { sayClock } from '../numbers.js';
import type { View } from './view.js';

const PHASES = ['prepare', 'health', 'canary', 'migrate', 'finish'] as const;

/** The twelve steps in their five phases, in one line. */
export function timeline(): View {
  const element = h('ol', { class: 'timeline' });
  let drawn = '';
  const update = ({ rollout }: Stand): void => {
    const shown = JSON.stringify(rollout && [rollout.id, rollout.steps, rollout.outcome, rollout.rollback]);
    if (shown === drawn) return;
    drawn = shown;
    element.hidden = rollout === null;
    element.replaceChildren(...(rollout === null ? [] : PHASES.map((phase) => drawPhase(rollout, phase))));
  };
  return { element, update };
}

function drawPhase(rollout: Rollout, phase: (typeof PHASES)[number]): HTMLElement {
  const steps = rollout.steps.filter((step) => step.phase === phase);
  const current = rollout.outcome === 'running' && rollout.phase === phase;
  const item = h(
    'li',
    { class: 'phase', 'aria-current': current ? 'step' : undefined },
    h('span', { class: 'name' }, t(phase)),
    h('ol', {}, ...steps.map((step) => drawStep(rollout, step))),
  );
  item.style.setProperty('--steps', String(steps.length));
  return item;
}

function drawStep(rollout: Rollout, step: Step): HTMLElement {
  const state = stateOf(rollout, step);
  const took = step.began !== null && step.ended !== null ? sayClock(step.ended - step.began) : '';
  const title = `${step.number}. ${stepTitle(step.title)}`;
  return h(
    'li',
    { class: `step ${state}`, title: took === '' ? title : `${title}, ${took}` },
    h('span', { class: 'unseen' }, `${title}${took === '' ? '' : `, ${took}`}`),
  );
}

function stateOf(rollout: Rollout, step: Step): string {
  if (step.began === null) return 'ahead';
  const here = step.number === rollout.step.number;
  if (here && (rollout.rollback !== null || rollout.outcome === 'refused' || rollout.outcome === 'stuck')) return 'turned';
  return here && rollout.outcome === 'running' ? 'here' : 'done';
}
