import { chosenLanguage, chosenTheme, readChosen, writeChosen, type Language, type Theme } from '@isshoni/paper';

/** The user's choices, stored in this browser. */
export interface Preferences {
  name: string;
  language: Language;
  theme: Theme;
}

export const MAX_NAME_CHARACTERS = 40;

/** Read the stored choices; language and theme default to those of the browser. */
export function loadPreferences(): Preferences {
  const { name } = readChosen();
  return {
    name: typeof name === 'string' ? toName(name) : '',
    language: chosenLanguage(),
    theme: chosenTheme(),
  };
}

export const savePreference = (change: Partial<Preferences>): void => writeChosen(change);

/** Return a name without line breaks, cut to 40 characters. */
export function toName(text: string): string {
  const words = text.replace(/\p{Surrogate}/gu, '').replace(/\s+/g, ' ').trim();
  return [...words].slice(0, MAX_NAME_CHARACTERS).join('');
}
