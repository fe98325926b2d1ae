import { h } from '@isshoni/paper';
import type { Api } from '../api.js';
import { t, type Key } from '../i18n.js';
import type { View } from './view.js';

const NAMED: Record<string, Key> = {
  blue: 'blue',
  green: 'green',
  balancer: 'balancer',
  redis: 'redis',
  relay: 'relay',
  supervisor: 'supervisor',
  engine: 'engine',
  deploy: 'deployLog',
  rollback: 'rollbackLog',
};
const EVERY_MS = 2_000;
/** A search waits for this long after the last key. */
const TYPING_MS = 250;

/** The last lines of a program's log, or those with a text, updated while the panel is open. */
export function logs(api: Api): View {
  const lines = h('pre', { tabindex: 0, role: 'region', 'aria-label': t('logs') });
  const program = h('select', { id: 'log-program', onchange: () => choose() });
  const search = h('input', { id: 'log-search', type: 'search', maxlength: 200, oninput: () => choose(TYPING_MS) });
  const summary = h('summary', {}, h('h2', {}, t('logs')));
  const element = h('details', { class: 'logs', ontoggle: () => void open() }, summary, drawFields(program, search), lines);
  let typing: ReturnType<typeof setTimeout> | undefined;

  function choose(after = 0): void {
    clearTimeout(typing);
    typing = setTimeout(() => void refresh(), after);
  }

  async function open(): Promise<void> {
    if (!element.open) return;
    const names = await api.logNames().catch(() => ['blue', 'green']);
    const chosen = program.value;
    program.replaceChildren(...names.map((name) => h('option', { value: name }, NAMED[name] ? t(NAMED[name]) : name)));
    if (names.includes(chosen)) program.value = chosen;
    await refresh();
  }

  async function refresh(): Promise<void> {
    if (!element.open || document.hidden || program.value === '') return;
    const asked = [program.value, search.value] as const;
    const text = await api.log(...asked).then((read) => read.join('\n'), (fault: Error) => fault.message);
    if (asked[0] !== program.value || asked[1] !== search.value) return;
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    lines.textContent = text === '' ? t(asked[1] === '' ? 'noLog' : 'noMatch') : text;
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  }

  const timer = setInterval(() => void refresh(), EVERY_MS);
  const dispose = (): void => {
    clearInterval(timer);
    clearTimeout(typing);
  };
  return { element, update: () => undefined, dispose };
}

function drawFields(program: HTMLSelectElement, search: HTMLInputElement): HTMLElement {
  const [named, sought] = [h('label', { for: 'log-program' }, t('program')), h('label', { for: 'log-search' }, t('search'))];
  return h('div', { class: 'find' }, named, program, sought, search);
}
