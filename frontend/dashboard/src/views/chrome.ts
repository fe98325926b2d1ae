import { h, icon, seal, toggleTheme, writeChosen } from '@isshoni/paper';
import { language, setLanguage, t } from '../i18n.js';

const THEME = 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18';

export interface Chrome {
  element: HTMLElement;
  live: () => void;
  lost: (why: string) => void;
}

/** The top bar: logo, state of the connection, and the buttons for language and theme. */
export function chrome(remount: () => void): Chrome {
  const label = h('span', { class: 'label' }, t('connecting'));
  const news = h('div', { class: 'news', role: 'status' }, h('span', { class: 'dot' }), label);
  const other = language() === 'en' ? 'ko' : 'en';
  const switchLanguage = (): void => {
    setLanguage(other);
    writeChosen({ language: other });
    remount();
  };
  const inOther = { lang: other, title: t('language'), onclick: switchLanguage };
  const theme = { title: t('theme'), 'aria-label': t('theme'), onclick: toggleTheme };
  const element = h(
    'header',
    {},
    seal(),
    news,
    h('button', { type: 'button', class: 'quiet', ...inOther }, other === 'ko' ? '한국어' : 'EN'),
    h('button', { type: 'button', class: 'quiet', ...theme }, icon(THEME)),
  );
  const tell = (state: string, text: string): void => {
    news.dataset.state = state;
    label.textContent = text;
  };
  return { element, live: () => tell('live', t('live')), lost: (why) => tell('lost', why) };
}
