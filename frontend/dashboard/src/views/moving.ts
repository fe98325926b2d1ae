import { h } from '@isshoni/paper';
import type { Stand } from '../model.js';
import { t } from '../i18n.js';
import { sayCount } from '../numbers.js';
import type { View } from './view.js';

/** The progress of moving live sessions. */
export function moving(): View {
  const figures = [figure(), figure(), figure(), figure()] as const;
  const element = h(
    'section',
    { class: 'moving' },
    h('h2', {}, t('moving')),
    h('div', { class: 'figures' }, ...figures.map(({ element }) => element)),
  );
  const update = ({ rollout, move }: Stand): void => {
    const idle = move.moved + move.remaining + move.stragglers === 0;
    element.hidden = idle && rollout?.outcome !== 'running';
    const [moved, remaining, rate, stragglers] = figures;
    moved.show(sayCount(move.moved), t('moved', { asked: sayCount(move.told) }));
    remaining.show(sayCount(move.remaining), t('remaining'));
    rate.show(sayCount(move.rate_per_second), t('rate'));
    stragglers.show(sayCount(move.stragglers), t('stragglers'));
    stragglers.element.classList.toggle('warn', move.stragglers > 0);
  };
  return { element, update };
}

function figure(): { element: HTMLElement; show: (value: string, words: string) => void } {
  const [value, words] = [h('strong'), h('span')];
  const show = (shown: string, said: string): void => {
    value.textContent = shown;
    words.textContent = said;
  };
  return { element: h('p', {}, value, words), show };
}
