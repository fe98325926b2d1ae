import { h } from '@isshoni/paper';
import type { Colour, ProcessState } from '../model.js';
import { t } from '../i18n.js';
import { sayCount } from '../numbers.js';

/** The processes of a slot, one a row; hidden if there is only one. */
export function processTable(colour: Colour): { element: HTMLElement; show: (processes: ProcessState[]) => void } {
  const head = ['process', 'state', 'connections', 'sessionCount', 'cpu', 'restartCount'] as const;
  const rows = h('tbody');
  const columns = head.map((name) => h('th', { scope: 'col' }, t(name)));
  const label = t('processesOf', { colour: t(colour) });
  const table = h('table', { 'aria-label': label }, h('thead', {}, h('tr', {}, ...columns)), rows);
  const element = h('div', { class: 'processes', tabindex: 0, role: 'group', 'aria-label': label }, table);
  const show = (processes: ProcessState[]): void => {
    element.hidden = processes.length < 2;
    rows.replaceChildren(...(processes.length < 2 ? [] : processes.map(drawRow)));
  };
  return { element, show };
}

function drawRow(process: ProcessState): HTMLElement {
  const cpu = process.cpu_pct === undefined ? '–' : `${process.cpu_pct.toFixed(0)} %`;
  return h(
    'tr',
    { class: process.ready || process.evacuated ? undefined : 'bad' },
    h('th', { scope: 'row' }, process.name),
    h('td', { class: 'how' }, sayProcessState(process)),
    h('td', {}, sayCount(process.connections)),
    h('td', {}, process.sessions === undefined ? '–' : sayCount(process.sessions)),
    h('td', {}, cpu),
    h('td', {}, sayCount(process.restarts)),
  );
}

/** Return how a process is: ready, evacuated, or why it is not ready. */
export function sayProcessState(process: ProcessState): string {
  if (process.evacuated) return t('evacuated');
  return process.ready ? t('ready') : (process.reason ?? t('notReady'));
}
