import { h } from '@isshoni/paper';
import { COLOURS, nameOf, type Colour, type ColourState, type ProcessState, type Stand } from '../api.js';
import { t } from '../i18n.js';
import { sayCount } from '../numbers.js';
import type { View } from './view.js';

/** Both slots: release, health, connections, and share of new connections. */
export function colours(): View {
  const cards = COLOURS.map(card);
  const element = h('section', { class: 'colours' }, ...cards.map(({ element }) => element));
  return { element, update: (stand) => cards.forEach((one) => one.update(stand)) };
}

function card(colour: Colour): View {
  const role = h('span', { class: 'role' });
  const release = h('p', { class: 'release' });
  const health = h('span', { class: 'health' });
  const trouble = h('p', { class: 'trouble', role: 'status' });
  const count = h('strong');
  const sessions = h('span', { class: 'sessions' });
  const processes = h('p', { class: 'processes' });
  const bar = weightBar();
  const element = h(
    'article',
    { class: `colour ${colour}`, 'aria-label': t(colour) },
    h('div', { class: 'line' }, h('h2', {}, t(colour)), role, health),
    release,
    trouble,
    h('p', { class: 'count' }, count, h('span', {}, t('connections')), sessions),
    processes,
    bar.element,
  );
  const update = (stand: Stand): void => {
    const state = stand.seen?.colours[colour] ?? null;
    role.textContent = t(nameRole(stand, colour, state));
    release.textContent = state?.release ? nameOf(state) : '–';
    health.textContent = sayHealth(state);
    health.dataset.health = state?.running !== true ? 'none' : state.healthy ? 'good' : 'bad';
    trouble.textContent = state?.trouble ?? '';
    trouble.hidden = !state?.trouble;
    count.textContent = state === null ? '–' : sayCount(state.connections);
    sessions.textContent = saySessions(state?.sessions ?? null);
    const several = processesOf(state).length > 1;
    processes.textContent = several ? processesOf(state).map(sayProcess).join(' · ') : '';
    processes.hidden = !several;
    const running = stand.rollout?.outcome === 'running';
    bar.show(stand.seen?.weights_verified?.[colour], running ? stand.rollout?.weights_desired?.[colour] : undefined);
  };
  return { element, update };
}

function weightBar(): { element: HTMLElement; show: (verified?: number, desired?: number) => void } {
  const fill = h('i', { class: 'fill' });
  const mark = h('i', { class: 'mark' });
  const words = h('span');
  const wanted = h('span', { class: 'wanted' });
  const element = h(
    'div',
    { class: 'weight' },
    h('div', { class: 'track' }, fill, mark),
    h('p', {}, words, wanted),
  );
  const show = (verified?: number, desired?: number): void => {
    fill.style.width = `${verified ?? 0}%`;
    words.textContent = verified === undefined ? t('unknownWeight') : t('ofNew', { share: verified });
    const differs = desired !== undefined && desired !== verified;
    mark.hidden = !differs;
    mark.style.left = `${desired ?? 0}%`;
    wanted.textContent = differs ? t('desired', { share: desired }) : '';
  };
  return { element, show };
}

const saySessions = (count: number | null): string => (count === null ? '' : t('sessions', { count: sayCount(count) }));

function nameRole(stand: Stand, colour: Colour, state: ColourState | null): 'stable' | 'candidate' | 'idle' {
  if (stand.stable?.colour === colour) return 'stable';
  return (state?.release ?? null) === null ? 'idle' : 'candidate';
}

const processesOf = (state: ColourState | null): ProcessState[] => state?.processes ?? [];

/** Return the connections of a process, and what is unusual about it. */
export function sayProcess(process: ProcessState): string {
  const state = process.evacuated ? t('evacuated') : process.ready ? '' : (process.reason ?? t('notReady'));
  const restarts = process.restarts > 0 ? t('restarts', { count: process.restarts }) : '';
  const more = [state, restarts].filter((words) => words !== '').join(', ');
  return `${process.name} ${sayCount(process.connections)}${more ? ` (${more})` : ''}`;
}

function sayHealth(state: ColourState | null): string {
  if (state === null) return '';
  if (!state.running) return state.last_exit ?? t('empty');
  const restarts = state.restarts > 0 ? ` · ${t('restarts', { count: state.restarts })}` : '';
  return t(state.healthy ? 'healthy' : 'unhealthy') + restarts;
}
