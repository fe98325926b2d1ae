import type { Language } from './i18n.js';

/** What a person chose, kept in this browser. */
export interface Preferences {
  name: string;
  language: Language;
  theme: 'light' | 'dark';
}

const KEY = 'isshoni:preferences';
export const MAX_NAME_CHARACTERS = 40;

/** Read what was chosen; what was not follows the browser. */
export function loadPreferences(): Preferences {
  const stored = readStored();
  return {
    name: typeof stored.name === 'string' ? toName(stored.name) : '',
    language: stored.language === 'en' || stored.language === 'ko' ? stored.language : browserLanguage(),
    theme: stored.theme === 'light' || stored.theme === 'dark' ? stored.theme : browserTheme(),
  };
}

export function savePreference(change: Partial<Preferences>): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...readStored(), ...change }));
  } catch {
    // Storage may be forbidden or full: then the choice lasts for this page only.
  }
}

/** Tidy a name: no line breaks, no more than 40 characters. */
export function toName(text: string): string {
  const words = text.replace(/\p{Surrogate}/gu, '').replace(/\s+/g, ' ').trim();
  return [...words].slice(0, MAX_NAME_CHARACTERS).join('');
}

function readStored(): Partial<Record<keyof Preferences, unknown>> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof stored === 'object' && stored !== null ? stored : {};
  } catch {
    return {};
  }
}

const browserLanguage = (): Language => (navigator.language.toLowerCase().startsWith('ko') ? 'ko' : 'en');

const browserTheme = (): Preferences['theme'] =>
  matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
