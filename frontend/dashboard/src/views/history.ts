import { h } from '@isshoni/paper';
import { nameOf, type Api, type PastRollout, type Stand } from '../api.js';
import { language, t } from '../i18n.js';
import { sayClock } from '../numbers.js';
import type { View } from './view.js';

/** A report is written just after its rollout has ended. */
const AGAIN_MS = 2_000;

/** The last rollouts, each with its report; fetched again when one begins or ends. */
export function history(api: Api): View {
  const rows = h('tbody');
  const head = [t('began'), t('version'), t('outcome'), t('took'), ''].map((name) => h('th', { scope: 'col' }, name));
  const table = h('table', {}, h('thead', {}, h('tr', {}, ...head)), rows);
  const element = h('section', { class: 'history', hidden: true }, h('h2', {}, t('history')), table);
  let shown = '';
  let timer: ReturnType<typeof setTimeout> | undefined;

  const refresh = async (): Promise<void> => {
    const past = await api.history().catch(() => []);
    element.hidden = past.length === 0;
    rows.replaceChildren(...past.map(row));
  };
  const update = ({ rollout }: Stand): void => {
    const now = `${rollout?.id} ${rollout?.outcome}`;
    if (now === shown) return;
    shown = now;
    void refresh();
    clearTimeout(timer);
    timer = setTimeout(() => void refresh(), AGAIN_MS);
  };
  return { element, update, dispose: () => clearTimeout(timer) };
}

function row(past: PastRollout): HTMLElement {
  const began = new Date(past.began * 1000);
  const link = { href: past.report ?? '', target: '_blank', rel: 'noopener' };
  return h(
    'tr',
    { class: past.outcome },
    h('td', { class: 'began' }, began.toLocaleString(language(), { dateStyle: 'short', timeStyle: 'short' })),
    h('th', { scope: 'row' }, nameOf(past), past.returning === true ? h('small', {}, ` (${t('returning')})`) : null),
    h('td', { class: 'outcome' }, h('b', {}, t(`${past.outcome}Short`)), past.outcome === 'promoted' ? null : ` ${past.reason}`),
    h('td', { class: 'took' }, sayClock(past.seconds)),
    h('td', {}, past.report === null ? null : h('a', link, t('report'))),
  );
}
