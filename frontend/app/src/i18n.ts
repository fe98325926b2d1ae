import type { Language } from '@isshoni/paper';
import * as canvas from './texts/canvas.js';
import * as chat from './texts/chat.js';
import * as connection from './texts/connection.js';
import * as entering from './texts/entering.js';
import * as menu from './texts/menu.js';
import * as people from './texts/people.js';

/** A key is in one area only. */
type Key = keyof (typeof entering.en & typeof people.en & typeof canvas.en & typeof menu.en & typeof connection.en & typeof chat.en);

const TEXTS: Record<Language, Record<Key, string>> = {
  en: { ...entering.en, ...people.en, ...canvas.en, ...menu.en, ...connection.en, ...chat.en },
  ko: { ...entering.ko, ...people.ko, ...canvas.ko, ...menu.ko, ...connection.ko, ...chat.ko },
};

let current: Language = 'en';

export function setLanguage(language: Language): void {
  current = language;
  document.documentElement.lang = language;
}

export const language = (): Language => current;

/** Return a text in the page's language, with its `{placeholders}` filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

/** Return a slot's name in the page's language; an unknown one unchanged. */
export function colourName(colour: string): string {
  return colour === 'blue' || colour === 'green' ? t(colour) : colour;
}
