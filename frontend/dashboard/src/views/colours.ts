import { h } from '@isshoni/paper';
import { COLOURS, nameOf, type Colour, type ColourState, type Stand } from '../model.js';
import { t } from '../i18n.js';
import { sayCount } from '../numbers.js';
import { sayFailures, sayReason } from '../reasons.js';
import { processTable } from './processes.js';
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
  const troubles = h('div', { class: 'troubles', role: 'status' });
  const count = h('strong');
  const sessions = h('span', { class: 'sessions' });
  const processes = processTable(colour);
  const bar = weightBar();
  const element = h(
    'article',
    { class: `colour ${colour}`, 'aria-label': t(colour) },
    h('div', { class: 'line' }, h('h2', {}, t(colour)), role, health),
    release,
    troubles,
    h('p', { class: 'count' }, count, h('span', {}, t('connections')), sessions),
    bar.element,
    processes.element,
  );
  const update = (stand: Stand): void => {
    const state = stand.seen?.colours[colour] ?? null;
    role.textContent = t(nameRole(stand, colour, state));
    release.textContent = sayRelease(state);
    const starting = isStarting(stand, colour, state);
    health.textContent = starting ? t('starting') : sayHealth(state);
    health.dataset.health = state?.running !== true || starting ? 'none' : state.healthy ? 'good' : 'bad';
    show(troubles, listTroubles(state));
    count.textContent = state === null ? '–' : sayCount(state.clients ?? state.connections);
    sessions.textContent = saySessions(state?.sessions ?? null);
    processes.show(state?.processes ?? []);
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

/** Write a line for each trouble; unchanged ones stay, so that a screen reader does not repeat them. */
function show(element: HTMLElement, lines: string[]): void {
  if (element.dataset.shown === JSON.stringify(lines)) return;
  element.dataset.shown = JSON.stringify(lines);
  element.replaceChildren(...lines.map((line) => h('p', { class: 'trouble' }, line)));
}

/** Return a line for each trouble of a slot, as `isshoni status` shows them. */
export function listTroubles(state: ColourState | null): string[] {
  if (state === null) return [];
  const times = t('restarts', { count: state.restarts });
  const restarted = state.running && state.restarts > 0 && state.last_exit;
  const down = state.side_programs_down ?? [];
  const failures = sayFailures(state.migration?.failures);
  const closed = sayFailures(state.migration?.closed_for);
  return [
    state.trouble ? sayReason(state.trouble, state.trouble_reasons) : '',
    restarted ? t('lastRestart', { count: times, why: state.last_exit! }) : '',
    down.length > 0 ? t('sidesDown', { programs: down.join(', ') }) : '',
    failures === '' ? '' : `${t('notMoved')}: ${failures}`,
    closed === '' ? '' : `${t('closedFor')}: ${closed}`,
  ].filter((line) => line !== '');
}

function sayRelease(state: ColourState | null): string {
  if (!state?.release) return '–';
  const sides = state.side_programs ?? [];
  const also = sides.length > 0 ? ` · ${t('sides', { programs: sides.join(', ') })}` : '';
  return nameOf(state) + also;
}

/** True if a candidate is not healthy because it was started just now. */
function isStarting({ rollout }: Stand, colour: Colour, state: ColourState | null): boolean {
  const early = rollout?.phase === 'prepare' || rollout?.phase === 'health';
  const forward = early && rollout?.outcome === 'running' && rollout.rollback === null;
  return Boolean(forward && rollout.candidate === colour && state?.running && !state.healthy && state.restarts === 0);
}

function sayHealth(state: ColourState | null): string {
  if (state === null) return '';
  if (!state.running) return state.last_exit ?? t('empty');
  const restarts = state.restarts > 0 ? ` · ${t('restarts', { count: state.restarts })}` : '';
  return t(state.healthy ? 'healthy' : 'unhealthy') + restarts;
}
