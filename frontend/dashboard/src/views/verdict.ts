import { h } from '@isshoni/paper';
import type { Stand, Verdict } from '../model.js';
import { t } from '../i18n.js';
import { sayReason } from '../reasons.js';
import type { View } from './view.js';

/** The current verdict of the analysis, and that of each canary step. */
export function verdict(): View {
  const list = h('ol', { class: 'verdicts' });
  const none = h('p', { class: 'hint' }, t('noVerdict'));
  const element = h('section', { class: 'verdict' }, h('h2', {}, t('verdict')), none, list);
  let drawn = '';
  const update = ({ rollout, move }: Stand): void => {
    const past = rollout?.judgements ?? [];
    const current = rollout?.outcome === 'running' ? move.verdict : null;
    const shown = JSON.stringify([past, current, rollout?.outcome]);
    if (shown === drawn) return;
    drawn = shown;
    none.hidden = past.length > 0 || current !== null;
    element.hidden = !none.hidden && rollout?.outcome !== 'running';
    list.replaceChildren(
      ...past.map((judged) => row(`${judged.weight} %`, judged)),
      ...(current === null ? [] : [row('…', current)]),
    );
  };
  return { element, update };
}

function row(at: string, { kind, reason, reasons, figures }: Verdict): HTMLElement {
  const lines = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  return h(
    'li',
    { class: kind },
    h('span', { class: 'at' }, at),
    h('span', { class: 'kind' }, t(kind)),
    h('span', { class: 'reason', title: lines.join('\n') }, sayReason(reason, reasons)),
  );
}
