import { applyTheme, h, icon, toggleTheme } from '@isshoni/paper';
import { language, setLanguage, t } from '../i18n.js';
import { loadPreferences, savePreference } from '../preferences.js';

const THEME = 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18';

/** The seal: the page's mark, and the way home. */
export function seal(): HTMLElement {
  return h('a', { class: 'seal', href: '/', title: t('home'), 'aria-label': `isshoni – ${t('home')}` }, '一緒');
}

/** The switches for language and theme. */
export function switches(remount: () => void): HTMLElement {
  const other = language() === 'en' ? 'ko' : 'en';
  const toOther = (): void => {
    setLanguage(other);
    savePreference({ language: other });
    remount();
  };
  const label = t('language');
  return h(
    'div',
    { class: 'switches' },
    h(
      'button',
      { type: 'button', class: 'quiet', lang: other, title: label, 'aria-label': label, onclick: toOther },
      other === 'ko' ? '한국어' : 'EN',
    ),
    h(
      'button',
      { type: 'button', class: 'quiet', title: t('theme'), 'aria-label': t('theme'), onclick: toggleTheme },
      icon(THEME),
    ),
  );
}

export function applyPreferences(): void {
  setLanguage(loadPreferences().language);
  applyTheme();
}
