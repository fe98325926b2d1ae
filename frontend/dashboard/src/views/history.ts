import { h } from '@isshoni/paper';
import { explainFault, nameOf, type Api, type PastRollout, type Seen, type Stand } from '../api.js';
import { t } from '../i18n.js';
import { sayClock, sayTime } from '../numbers.js';
import { sayReason } from '../reasons.js';
import { seenIn, type Rights } from './actions.js';
import { confirm } from './dialog.js';
import { showHappenings } from './happenings.js';
import type { View } from './view.js';

/** A report is written just after its rollout has ended. */
const AGAIN_MS = 2_000;
const PAGE = 20;

/** The rollouts page by page, each with its report. */
export const history = (api: Api, rights: () => Rights): View => new History(api, rights);

class History implements View {
  readonly element: HTMLElement;
  readonly #rows = h('tbody');
  readonly #table: HTMLElement;
  readonly #number = h('span', { class: 'hint' });
  readonly #said = h('p', { class: 'said', role: 'status' });
  readonly #newer = h('button', { type: 'button', class: 'quiet', 'data-page': 'newer', onclick: () => void this.#turn(-1) }, t('newer'));
  readonly #older = h('button', { type: 'button', class: 'quiet', 'data-page': 'older', onclick: () => void this.#turn(1) }, t('older'));
  readonly #pages = h('nav', { class: 'pages', 'aria-label': t('history') }, this.#newer, this.#number, this.#older);
  /** The last id of each page before this one. */
  readonly #before: string[] = [];
  #shown: PastRollout[] = [];
  #stand: Stand | null = null;
  #known = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly api: Api,
    readonly rights: () => Rights,
  ) {
    const head = [t('began'), t('version'), t('outcome'), t('took')].map((name) => h('th', { scope: 'col' }, name));
    this.#table = h('table', {}, h('thead', {}, h('tr', {}, ...head, h('td'))), this.#rows);
    this.element = h('section', { class: 'history', hidden: true }, h('h2', {}, t('history')), this.#said, this.#table, this.#pages);
  }

  /** Fetch the page again when a rollout begins or ends, or when other actions are possible. */
  update(now: Stand): void {
    this.#stand = now;
    const { acts, current } = this.rights();
    const key = JSON.stringify([now.rollout?.id, now.rollout?.outcome, now.stable, acts, current]);
    if (key === this.#known) return;
    this.#known = key;
    void this.#refresh();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refresh(), AGAIN_MS);
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }

  async #refresh(): Promise<void> {
    const page = this.#before.length;
    try {
      // One more than is shown tells if there is an older page.
      const past = await this.api.history(PAGE + 1, this.#before.at(-1));
      if (page !== this.#before.length) return;
      this.#shown = past;
      this.#said.textContent = '';
    } catch (fault) {
      this.#said.textContent = t('noHistory', { why: explainFault(fault) });
    }
    this.#draw();
  }

  #draw(): void {
    const first = this.#before.length === 0;
    this.element.hidden = this.#shown.length === 0 && first && this.#said.textContent === '';
    this.#table.hidden = this.#shown.length === 0;
    this.#rows.replaceChildren(...this.#shown.slice(0, PAGE).map((past) => row(past, this.#drawButtons(past))));
    this.#newer.disabled = first;
    this.#older.disabled = this.#shown.length <= PAGE;
    if (this.#older.disabled && this.#shown.length > 0) this.#rows.append(this.#drawFirst(this.#shown.at(-1)!));
    this.#pages.hidden = this.#newer.disabled && this.#older.disabled;
    this.#number.textContent = t('page', { number: this.#before.length + 1 });
  }

  async #turn(by: 1 | -1): Promise<void> {
    if (by === -1) this.#before.pop();
    else if (this.#shown.length > PAGE) this.#before.push(this.#shown[PAGE - 1]!.id);
    await this.#refresh();
  }

  #drawButtons(past: PastRollout): HTMLElement[] {
    const release = nameOf(past);
    const details = { 'aria-label': `${t('details')}: ${release}`, onclick: () => void showHappenings(this.api, past) };
    const more = h('button', { type: 'button', class: 'quiet', ...details }, t('details'));
    if (!canReturn(past, this.#stand)) return [more];
    return [more, this.#drawReturn(past.id, release, (seen) => this.api.goTo(past.id, seen))];
  }

  /** Return the row of the release before the oldest rollout: no rollout brought it. */
  #drawFirst(oldest: PastRollout): HTMLElement {
    const release = nameOf({ release: oldest.previous_release, content: oldest.previous_content ?? null });
    const go = this.#drawReturn(oldest.id, release, (seen) => this.api.goToPrevious(oldest.id, seen));
    const isThere = isOther(release, this.#stand) && oldest.outcome === 'promoted';
    return h(
      'tr',
      { class: 'first' },
      h('td', { class: 'began' }, '–'),
      h('th', { scope: 'row' }, release),
      h('td', { class: 'outcome' }, t('firstRelease')),
      h('td', { class: 'took' }, '–'),
      h('td', { class: 'links' }, ...(isThere ? [go] : [])),
    );
  }

  #drawReturn(id: string, release: string, ask: (seen: Seen) => Promise<unknown>): HTMLElement {
    const { acts, current } = this.rights();
    const back = { 'data-return': id, 'aria-label': `${t('goTo')}: ${release}`, disabled: !acts || !current };
    return h('button', { type: 'button', class: 'quiet', ...back, onclick: () => void this.#goTo(release, ask) }, t('goTo'));
  }

  async #goTo(release: string, ask: (seen: Seen) => Promise<unknown>): Promise<void> {
    const seen = seenIn(this.#stand);
    if (!(await confirm(t('confirmGoTo', { release }), t('goTo')))) return;
    this.#said.textContent = await ask(seen).then(() => t('asked'), explainFault);
  }
}

/** True if a rollout brought a release that is not the live one, and none runs now. */
export function canReturn(past: PastRollout, stand: Stand | null): boolean {
  return past.outcome === 'promoted' && isOther(nameOf(past), stand);
}

/** True if a release is not the live one, and no rollout runs now. */
function isOther(release: string, stand: Stand | null): boolean {
  if (stand === null || stand.rollout?.outcome === 'running') return false;
  return stand.stable !== null && release !== nameOf(stand.stable);
}

function row(past: PastRollout, buttons: HTMLElement[]): HTMLElement {
  const link = { href: past.report ?? '', target: '_blank', rel: 'noopener' };
  const live = past.live === true;
  return h(
    'tr',
    { class: live ? `${past.outcome} live` : past.outcome },
    h('td', { class: 'began' }, sayTime(past.began)),
    h('th', { scope: 'row' }, nameOf(past), past.returning === true ? h('small', {}, ` (${t('returning')})`) : null),
    h(
      'td',
      { class: 'outcome' },
      h('b', {}, t(live ? 'liveShort' : `${past.outcome}Short`)),
      past.outcome === 'promoted' ? null : ` ${sayReason(past.reason, past.reasons)}`,
    ),
    h('td', { class: 'took' }, sayClock(past.seconds)),
    h('td', { class: 'links' }, past.report === null ? null : h('a', link, t('report')), ...buttons),
  );
}
