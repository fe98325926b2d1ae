import { h } from '@isshoni/paper';
import type { Api, Permissions, Stand } from './api.js';
import { t } from './i18n.js';
import { sayMoment } from './numbers.js';
import { actions, type Rights } from './views/actions.js';
import { chart } from './views/chart.js';
import { chrome, type Chrome } from './views/chrome.js';
import { colours } from './views/colours.js';
import { headline } from './views/headline.js';
import { history } from './views/history.js';
import { logs } from './views/logs.js';
import { moving } from './views/moving.js';
import { timeline } from './views/timeline.js';
import { verdict } from './views/verdict.js';
import { wayBack } from './views/way-back.js';
import type { View } from './views/view.js';

/** Build the page and follow the server; a change of language builds it again. */
export function mountDashboard(root: HTMLElement, api: Api): void {
  new Dashboard(root, api).follow();
}

class Dashboard {
  #views: View[] = [];
  #last: Stand | null = null;
  #lost: string | null = null;
  #permissions: Permissions = { acts: false, deploys: false };
  #bar: Chrome;

  constructor(
    readonly root: HTMLElement,
    readonly api: Api,
  ) {
    this.#bar = this.#build();
  }

  follow(): void {
    const lose = (why: string): void => {
      this.#lost = why;
      this.#show();
    };
    void this.api.follow((stand) => this.#take(stand), lose);
  }

  #build(): Chrome {
    this.#views.forEach((view) => view.dispose?.());
    const bar = chrome(() => (this.#bar = this.#build()));
    const rights = (): Rights => ({ ...this.#permissions, current: this.#lost === null });
    const [title, steps, buttons] = [headline(), timeline(), actions(this.api, rights)];
    const [slots, load, move, judged, back] = [colours(), chart(), moving(), verdict(), wayBack()];
    const [past, output] = [history(this.api, rights), logs(this.api)];
    this.#views = [title, steps, buttons, slots, load, move, judged, back, past, output];
    const now = h('section', { class: 'now' }, title.element, buttons.element, steps.element);
    const pair = h('div', { class: 'pair' }, move.element, judged.element);
    const main = h('main', {}, now, slots.element, back.element, load.element, pair, past.element, output.element);
    this.root.replaceChildren(bar.element, main);
    this.#show(bar);
    return bar;
  }

  #show(bar = this.#bar): void {
    const [last, lost] = [this.#last, this.#lost];
    this.root.dataset.state = lost !== null ? 'stale' : last === null ? 'waiting' : 'live';
    if (lost !== null) bar.lost(last === null ? t('neverLive', { why: lost }) : t('lost', { at: sayMoment(last.at), why: lost }));
    else if (last !== null) bar.live();
    if (last === null) return;
    this.#views.forEach((view) => view.update(last));
    this.root.dataset.at = String(last.at);
  }

  #take(stand: Stand): void {
    const back = this.#lost !== null || this.#last === null;
    [this.#last, this.#lost] = [stand, null];
    this.#show();
    // The server that answers again may be another one.
    if (back) void this.#askPermissions();
  }

  async #askPermissions(): Promise<void> {
    // A server of before has no such answer: with a token its buttons are offered as they were.
    const before = { acts: this.api.token !== null, deploys: false };
    this.#permissions = await this.api.permissions().catch(() => before);
    this.#show();
  }
}
