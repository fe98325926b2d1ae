import { h } from '@isshoni/paper';
import type { Stand } from '../model.js';
import { t } from '../i18n.js';
import { sayClock } from '../numbers.js';
import type { View } from './view.js';

/** The two clocks of a rollback: until new connections, and until all sessions, are on stable. */
export function wayBack(): View {
  const [traffic, sessions] = [clock(t('trafficHome')), clock(t('sessionsHome'))];
  const element = h(
    'section',
    { class: 'way-back', hidden: true },
    h('h2', {}, t('wayBack')),
    h('div', { class: 'figures' }, traffic.element, sessions.element),
  );
  const update = ({ rollout, at }: Stand): void => {
    const back = rollout?.rollback ?? null;
    element.hidden = back === null;
    if (rollout === null || back === null) return;
    const now = rollout.ended ?? at;
    traffic.show(back.began, back.new_connections_home, now);
    sessions.show(back.began, back.last_session_home, now);
  };
  return { element, update };
}

function clock(words: string): { element: HTMLElement; show: (began: number, ended: number | null, now: number) => void } {
  const value = h('strong');
  const element = h('p', {}, value, h('span', {}, words));
  const show = (began: number, ended: number | null, now: number): void => {
    value.textContent = sayClock(Math.max(0, (ended ?? now) - began));
    element.classList.toggle('home', ended !== null);
  };
  return { element, show };
}
