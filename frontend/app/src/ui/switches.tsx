import { applyTheme, toggleTheme, type Language, type Theme } from '@isshoni/paper';
import { useSyncExternalStore } from 'react';
import { language, setLanguage, t } from '../i18n.js';
import { loadPreferences, savePreference } from '../preferences.js';
import { Icon, THEME } from './icon.js';

/** Apply the stored language and theme. */
export function followPreferences(): void {
  setLanguage(loadPreferences().language);
  applyTheme();
}

/** Change to the other language, and return it. */
export function toggleLanguage(): Language {
  const other = language() === 'en' ? 'ko' : 'en';
  setLanguage(other);
  savePreference({ language: other });
  return other;
}

/** The buttons for language and theme. */
export function Switches({ onLanguage }: { onLanguage: () => void }) {
  const other = language() === 'en' ? 'ko' : 'en';
  const label = t('language');
  return (
    <div className="switches">
      <button type="button" className="quiet" lang={other} title={label} onClick={onLanguage}>
        {other === 'ko' ? '한국어' : 'EN'}
      </button>
      <button type="button" className="quiet" title={t('theme')} aria-label={t('theme')} onClick={toggleTheme}>
        <Icon path={THEME} />
      </button>
    </div>
  );
}

/** The current theme of the page. */
export function useTheme(): Theme {
  return useSyncExternalStore(observeTheme, () => (document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light'));
}

function observeTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => observer.disconnect();
}
