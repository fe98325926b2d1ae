import { h } from '@isshoni/paper';
import { explainFault, nameOf, type Api, type DeployPlan, type Programmed, type Seen } from '../api.js';
import { stepTitle, t } from '../i18n.js';
import { open } from './dialog.js';

/** Ask for a version, show what its deploy would do, and start it when that is confirmed. */
export function askDeploy(api: Api, seen: Seen): Promise<boolean> {
  return new DeployDialog(api, seen).ask();
}

class DeployDialog {
  readonly #field = h('input', { id: 'version', name: 'version', required: true, maxlength: 256, autocomplete: 'off', spellcheck: 'false' });
  readonly #plan = h('div', { class: 'plan', role: 'status' });
  readonly #said = h('p', { class: 'fault', role: 'alert' });
  readonly #show = h('button', { type: 'submit', class: 'primary' }, t('showPlan'));
  readonly #start = h('button', { type: 'button', class: 'primary', hidden: true, onclick: () => void this.#begin() }, t('startDeploy'));
  readonly #dialog: HTMLDialogElement;
  #planned = '';

  constructor(
    readonly api: Api,
    readonly seen: Seen,
  ) {
    const cancel = h('button', { type: 'button', class: 'quiet', onclick: () => this.#dialog.close() }, t('cancel'));
    const form = h(
      'form',
      { onsubmit: (event: SubmitEvent) => (event.preventDefault(), void this.#read()) },
      h('label', { for: 'version' }, t('version')),
      this.#field,
      h('p', { class: 'hint' }, t('versionHint')),
      this.#plan,
      this.#said,
      h('div', { class: 'row' }, cancel, this.#show, this.#start),
    );
    this.#dialog = h('dialog', { class: 'deploy', 'aria-label': t('deployTitle') }, h('h2', {}, t('deployTitle')), form);
    // What was shown is what is deployed: another version must be planned first.
    this.#field.addEventListener('input', () => this.#offer(false));
  }

  ask(): Promise<boolean> {
    return new Promise((resolve) => open(this.#dialog, () => resolve(this.#dialog.returnValue === 'started')));
  }

  #offer(ready: boolean): void {
    this.#start.hidden = !ready;
    this.#show.hidden = ready;
    if (!ready) this.#plan.replaceChildren();
  }

  async #read(): Promise<void> {
    const version = this.#field.value.trim();
    this.#said.textContent = '';
    this.#show.disabled = true;
    this.#plan.textContent = t('planning');
    try {
      const found = await this.api.planDeploy(version);
      if (this.#field.value.trim() !== version) return this.#plan.replaceChildren();
      this.#planned = version;
      this.#offer(true);
      this.#plan.replaceChildren(...drawPlan(found));
      this.#start.focus();
    } catch (fault) {
      this.#plan.replaceChildren();
      this.#said.textContent = explainFault(fault);
    } finally {
      this.#show.disabled = false;
    }
  }

  async #begin(): Promise<void> {
    this.#start.disabled = true;
    try {
      await this.api.deploy(this.#planned, this.seen);
      this.#dialog.close('started');
    } catch (fault) {
      this.#said.textContent = explainFault(fault);
    } finally {
      this.#start.disabled = false;
    }
  }
}

function drawPlan({ release, stable, steps, plan }: DeployPlan): HTMLElement[] {
  const names = { release: say(release), stable: say(stable.release), colour: t(stable.colour === 'blue' ? 'green' : 'blue') };
  const other = sayProgram(release) !== sayProgram(stable.release);
  const bake = (weight: number | null): string => (weight === null ? '' : `, ${t('bake', { seconds: plan.bake_seconds })}`);
  return [
    h('p', {}, t('planGoes', names)),
    h('p', {}, t('planRuns', { command: sayProgram(release) })),
    ...(other ? [h('p', { class: 'fault' }, t('planOther', { command: sayProgram(stable.release) }))] : []),
    h('p', {}, t('planSteps')),
    h('ol', { class: 'steps' }, ...steps.map((step) => h('li', {}, `${step.number}. ${stepTitle(step.title)}${bake(step.weight)}`))),
  ];
}

const say = ({ label, content }: Programmed): string => nameOf({ release: label, content: content ?? null });
const sayProgram = ({ command }: Programmed): string => command ?? t('ownProgram');
