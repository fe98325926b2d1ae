export type Language = 'en' | 'ko';
export type Theme = 'light' | 'dark';

const KEY = 'isshoni:preferences';

/** Read what was chosen in this browser: whatever it is, for it may have been tampered with. */
export function readChosen(): Record<string, unknown> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof stored === 'object' && stored !== null ? { ...stored } : {};
  } catch {
    return {};
  }
}

/** Add to what was chosen. */
export function writeChosen(change: Record<string, string>): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...readChosen(), ...change }));
  } catch {
    // Storage may be forbidden or full: then the choice lasts for this page only.
  }
}

/** Return the language: the chosen one, or else the browser's. */
export function chosenLanguage(): Language {
  const { language } = readChosen();
  if (language === 'en' || language === 'ko') return language;
  return navigator.language.toLowerCase().startsWith('ko') ? 'ko' : 'en';
}

/** Return the theme: the chosen one, or else the browser's. */
export function chosenTheme(): Theme {
  const { theme } = readChosen();
  if (theme === 'light' || theme === 'dark') return theme;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

export const applyTheme = (): void => void (document.documentElement.dataset.theme = chosenTheme());

export function toggleTheme(): void {
  writeChosen({ theme: document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark' });
  applyTheme();
}
