import type { Language } from '@isshoni/paper';
import { ENGLISH, type Key } from './texts/en.js';
import { KOREAN, KOREAN_STEPS } from './texts/ko.js';

export type { Key } from './texts/en.js';

const TEXTS: Record<Language, Record<Key, string>> = { en: ENGLISH, ko: KOREAN };

let current: Language = 'en';

export function setLanguage(language: Language): void {
  current = language;
  document.documentElement.lang = language;
}

export const language = (): Language => current;

const PLACE = /\{(\w+)(?:\|(\w+)\|(\w+))?\}/g;

/** Return a text in the page's language, with its `{placeholders}` and `{count|one|many}` filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return TEXTS[current][key].replace(PLACE, (place, name: string, one?: string, many?: string) => {
    const value = String(values[name] ?? place);
    return one === undefined ? value : `${value} ${value === '1' ? one : many}`;
  });
}

export function stepTitle(title: string): string {
  if (current === 'en') return title.charAt(0).toUpperCase() + title.slice(1);
  return KOREAN_STEPS[title] ?? title.replace(/^canary/, '카나리');
}
