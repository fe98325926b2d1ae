import { h } from '@isshoni/paper';
import type { Api } from '../api.js';
import { t } from '../i18n.js';
import type { View } from './view.js';

const NAMES = ['blue', 'green', 'balancer', 'redis', 'supervisor'] as const;
type Name = (typeof NAMES)[number];
const EVERY_MS = 2_000;

/** The last lines of a program's log, updated while the panel is open. */
export function logs(api: Api): View {
  const lines = h('pre', { tabindex: 0 });
  const tabs = new Map(NAMES.map((name) => [name, tab(name, choose)]));
  const element = h(
    'details',
    { class: 'logs', ontoggle: () => void refresh() },
    h('summary', {}, h('h2', {}, t('logs'))),
    h('div', { class: 'tabs' }, ...tabs.values()),
    lines,
  );
  let chosen: Name = 'blue';

  function choose(name: Name): void {
    chosen = name;
    lines.textContent = '';
    void refresh();
  }

  async function refresh(): Promise<void> {
    tabs.forEach((button, name) => button.setAttribute('aria-pressed', String(name === chosen)));
    if (!element.open || document.hidden) return;
    const asked = chosen;
    const text = await api.log(asked).then((read) => read.join('\n'), String);
    if (asked !== chosen) return;
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    lines.textContent = text === '' ? t('noLog') : text;
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  }

  const timer = setInterval(() => void refresh(), EVERY_MS);
  return { element, update: () => undefined, dispose: () => clearInterval(timer) };
}

function tab(name: Name, choose: (name: Name) => void): HTMLButtonElement {
  return h('button', { type: 'button', class: 'quiet', onclick: () => choose(name) }, t(name));
}
