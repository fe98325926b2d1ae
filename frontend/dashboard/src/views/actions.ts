import { h } from '@isshoni/paper';
import { nameOf, type Action, type Api, type Stand } from '../api.js';
import { t, type Key } from '../i18n.js';
import type { View } from './view.js';

const ACTIONS: readonly Action[] = ['pause', 'resume', 'promote', 'abort', 'rollback'];

const QUESTIONS: Record<Action, Key> = {
  pause: 'confirmPause',
  resume: 'confirmResume',
  promote: 'confirmPromote',
  abort: 'confirmAbort',
  rollback: 'confirmRollback',
};

/** The buttons: those that make sense now are shown, and each asks for confirmation. */
export function actions(api: Api): View {
  let stand: Stand | null = null;
  const said = h('p', { class: 'said', role: 'status' });
  const buttons = new Map(ACTIONS.map((action) => [action, button(action, () => void perform(action))]));
  const hint = h('p', { class: 'hint', hidden: api.token !== null }, t('noToken'));
  const element = h('div', { class: 'actions' }, h('div', { class: 'row' }, ...buttons.values()), said, hint);
  buttons.forEach((one) => (one.disabled = api.token === null));

  async function perform(action: Action): Promise<void> {
    said.textContent = '';
    const question = t(QUESTIONS[action], { release: homeOf(stand) });
    if (!(await confirm(question, t(action)))) return;
    said.textContent = await api.act(action).then(
      () => t('asked'),
      (fault: Error) => fault.message,
    );
  }

  const update = (now: Stand): void => {
    stand = now;
    buttons.forEach((one, action) => (one.hidden = !makesSense(action, now)));
  };
  return { element, update };
}

function homeOf(stand: Stand | null): string {
  const home = stand?.rollout?.outcome === 'running' ? stand.stable : stand?.previous;
  return home ? nameOf(home) : '';
}

function makesSense(action: Action, { rollout, previous, engine }: Stand): boolean {
  const running = rollout?.outcome === 'running';
  const forward = running && rollout.rollback === null;
  const leftRollback = running && !forward && engine === null;
  switch (action) {
    case 'pause':
      return forward && !rollout.paused;
    case 'resume':
      return forward && rollout.paused;
    case 'promote':
      return forward && rollout.phase === 'canary';
    case 'abort':
      return forward && (rollout.phase === 'prepare' || rollout.phase === 'health');
    case 'rollback':
      if (forward) return rollout.phase !== 'prepare' && rollout.phase !== 'health';
      return leftRollback || (!running && previous !== null);
  }
}

function button(action: Action, onclick: () => void): HTMLButtonElement {
  const home = action === 'rollback' || action === 'abort';
  return h('button', { type: 'button', class: home ? 'reins home' : 'reins', 'data-action': action, onclick }, t(action));
}

/** Ask for confirmation; resolve to false if the dialog is closed. */
function confirm(question: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = h(
      'dialog',
      { 'aria-label': yes },
      h('p', { class: 'question' }, question),
      h(
        'div',
        { class: 'row' },
        h('button', { type: 'button', class: 'quiet', autofocus: true, onclick: () => dialog.close() }, t('cancel')),
        h('button', { type: 'button', class: 'primary', onclick: () => dialog.close('yes') }, yes),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
