import { h } from '@isshoni/paper';
import { t } from '../i18n.js';
import type { People } from '../models/people.js';
import type { View } from './view.js';

const SHOWN = 5;

/** Who is here: a round mark each, one's own a button to change the name. */
export function peopleView(people: People, rename: () => void): View {
  const element = h('ul', { class: 'people', 'aria-label': t('people') });
  let shown = '';

  const render = (): void => {
    const present = people.present();
    const state = JSON.stringify(present);
    if (state === shown) return;
    shown = state;
    const items = present.slice(0, SHOWN).map(({ clientId, name }, index) => {
      const mark = `person tint-${people.tintOf(clientId)}`;
      const initial = firstCharacter(name);
      if (index > 0) return h('li', { class: mark, title: name, 'aria-label': name }, initial);
      const label = `${name} (${t('you')}) – ${t('rename')}`;
      const button = { type: 'button', class: mark, title: label, 'aria-label': label, onclick: rename };
      return h('li', {}, h('button', button, initial));
    });
    const more = present.length - SHOWN;
    if (more > 0) items.push(h('li', { class: 'person more' }, `+${more}`));
    element.replaceChildren(...items);
  };

  render();
  return { element, dispose: people.observe(render) };
}

const firstCharacter = (name: string): string => [...name][0]?.toUpperCase() ?? '?';
