import { h } from '@isshoni/paper';
import type { Api, Stand } from './api.js';
import { t } from './i18n.js';
import { actions } from './views/actions.js';
import { chart } from './views/chart.js';
import { chrome } from './views/chrome.js';
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
  let views: View[] = [];
  let last: Stand | null = null;
  let bar = chrome(remount);

  function remount(): void {
    views.forEach((view) => view.dispose?.());
    bar = chrome(remount);
    const [title, steps, buttons] = [headline(), timeline(), actions(api)];
    const [slots, load, move, judged, back] = [colours(), chart(), moving(), verdict(), wayBack()];
    const [past, output] = [history(api), logs(api)];
    views = [title, steps, buttons, slots, load, move, judged, back, past, output];
    root.replaceChildren(
      bar.element,
      h(
        'main',
        {},
        h('section', { class: 'now' }, title.element, buttons.element, steps.element),
        slots.element,
        back.element,
        load.element,
        h('div', { class: 'pair' }, move.element, judged.element),
        past.element,
        output.element,
      ),
    );
    if (last !== null) update(last);
  }

  function update(stand: Stand): void {
    last = stand;
    bar.live();
    views.forEach((view) => view.update(stand));
  }

  remount();
  void api.follow(update, (why) => bar.lost(t('lost', { why })));
}
