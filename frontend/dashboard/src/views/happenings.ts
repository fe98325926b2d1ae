import { h } from '@isshoni/paper';
import { explainFault, nameOf, type Api, type Happening, type PastRollout } from '../api.js';
import { t } from '../i18n.js';
import { sayMoment } from '../numbers.js';
import { sayReason } from '../reasons.js';
import { open } from './dialog.js';

/** Show in a dialog what happened in a rollout, who asked for it included. */
export async function showHappenings(api: Api, past: PastRollout): Promise<void> {
  const head = [t('at'), t('step'), t('event'), t('why')].map((name) => h('th', { scope: 'col' }, name));
  const rows = h('tbody');
  const said = h('p', { class: 'said', role: 'status' }, t('planning'));
  const title = t('detailsOf', { release: nameOf(past) });
  const dialog = h(
    'dialog',
    { class: 'happenings', 'aria-label': title },
    h('h2', {}, title),
    said,
    h('div', { class: 'scrolls', tabindex: 0 }, h('table', {}, h('thead', {}, h('tr', {}, ...head)), rows)),
    h('div', { class: 'row' }, h('button', { type: 'button', class: 'quiet', autofocus: true, onclick: () => dialog.close() }, t('close'))),
  );
  open(dialog);
  try {
    const happenings = await api.happenings(past.id);
    rows.replaceChildren(...happenings.map(drawRow));
    said.textContent = '';
  } catch (fault) {
    said.textContent = explainFault(fault);
  }
}

function drawRow({ at, step, what, why, reasons }: Happening): HTMLElement {
  return h(
    'tr',
    {},
    h('td', { class: 'began' }, sayMoment(at)),
    h('td', {}, String(step)),
    h('th', { scope: 'row' }, what.replaceAll('_', ' ')),
    h('td', { class: 'outcome' }, sayReason(why, reasons)),
  );
}
