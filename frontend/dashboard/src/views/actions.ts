import { h } from '@isshoni/paper';
import { nameOf, type Action, type Api, type Permissions, type Seen, type Stand } from '../api.js';
import { t, type Key } from '../i18n.js';
import { askDeploy } from './deploy.js';
import { confirm } from './dialog.js';
import type { View } from './view.js';

const ACTIONS: readonly Action[] = ['pause', 'resume', 'promote', 'abort', 'rollback'];

const QUESTIONS: Record<Action, Key> = {
  pause: 'confirmPause',
  resume: 'confirmResume',
  promote: 'confirmPromote',
  abort: 'confirmAbort',
  rollback: 'confirmRollback',
};

/** What the page may do now: its permissions, and whether what it shows is current. */
export interface Rights extends Permissions {
  current: boolean;
}

/** The buttons: those that make sense now are shown, and each asks for confirmation. */
export function actions(api: Api, rights: () => Rights): View {
  let stand: Stand | null = null;
  const said = h('p', { class: 'said', role: 'status' });
  const buttons = new Map(ACTIONS.map((action) => [action, button(action, () => void perform(action))]));
  const deploy = h('button', { type: 'button', class: 'reins', 'data-action': 'deploy', onclick: () => void begin() }, t('deploy'));
  const hint = h('p', { class: 'hint' });
  const element = h('div', { class: 'actions' }, h('div', { class: 'row' }, ...buttons.values(), deploy), said, hint);

  async function perform(action: Action): Promise<void> {
    said.textContent = '';
    const seen = seenIn(stand);
    const question = t(QUESTIONS[action], { release: homeOf(stand) });
    if (!(await confirm(question, t(action)))) return;
    said.textContent = await api.act(action, seen).then(
      () => t('asked'),
      (fault: Error) => fault.message,
    );
  }

  async function begin(): Promise<void> {
    said.textContent = '';
    if (await askDeploy(api, seenIn(stand))) said.textContent = t('asked');
  }

  const update = (now: Stand | null): void => {
    stand = now;
    const { acts, deploys, current } = rights();
    const all = [...buttons.values(), deploy];
    all.forEach((one) => (one.disabled = !acts || !current));
    buttons.forEach((one, action) => (one.hidden = now === null || !makesSense(action, now)));
    deploy.hidden = !deploys || !now?.stable || now.rollout?.outcome === 'running';
    hint.textContent = acts ? '' : t(api.token === null ? 'noToken' : 'wrongToken');
    hint.hidden = acts;
  };
  update(null);
  return { element, update };
}

/** Return the rollout that a stand shows, so that the server can refuse what is about another. */
export function seenIn(stand: Stand | null): Seen {
  return { rollout: stand?.rollout?.id ?? null, outcome: stand?.rollout?.outcome ?? null };
}

function homeOf(stand: Stand | null): string {
  const outcome = stand?.rollout?.outcome;
  const home = outcome === 'running' || outcome === 'stuck' ? stand?.stable : stand?.previous;
  return home ? nameOf(home) : '';
}

/** True if an action has an effect now that its user can want. */
export function makesSense(action: Action, { rollout, previous, engine, seen }: Stand): boolean {
  const running = rollout?.outcome === 'running';
  const forward = running && rollout.rollback === null;
  const driven = forward && engine !== null;
  const early = rollout?.phase === 'prepare' || rollout?.phase === 'health';
  switch (action) {
    case 'pause':
      return driven && !rollout.paused;
    case 'resume':
      return driven && rollout.paused;
    case 'promote':
      return driven && rollout.phase === 'canary';
    case 'abort':
      return driven && early;
    case 'rollback':
      // The server starts an engine for it if none works on the rollout.
      if (running && engine === null) return true;
      if (running) return forward && !early;
      // After a failed deploy all are on stable again: there is nothing to roll back.
      if (rollout?.outcome === 'rolled_back' || rollout?.outcome === 'refused') return false;
      return rollout?.outcome === 'stuck' || (previous !== null && seen !== null);
  }
}

function button(action: Action, onclick: () => void): HTMLButtonElement {
  const home = action === 'rollback' || action === 'abort';
  return h('button', { type: 'button', class: home ? 'reins home' : 'reins', 'data-action': action, onclick }, t(action));
}
