import type { Reason } from './model.js';
import { language, stepTitle, t, type Key } from './i18n.js';
import { KOREAN_REASONS, KOREAN_WORDS } from './texts/reasons-ko.js';

/**
 * Return a reason of the engine in the page's language. English is its own sentence; without codes
 * (a server of before), or for a code that this page does not know, the sentence is shown too.
 */
export function sayReason(text: string, reasons: Reason[] | undefined): string {
  if (language() === 'en' || reasons === undefined || reasons.length === 0) return text;
  return reasons.map(sayOne).join(', ');
}

function sayOne({ code, fields }: Reason): string {
  const template = KOREAN_REASONS[code];
  const own = fields.text;
  if (template === undefined) return typeof own === 'string' ? own : code;
  const said = template.replace(/\{(\w+)\}/g, (_, name: string) => sayField(name, fields[name]));
  // A field that this sentence of the code does not have.
  return said.replace(' ()', '').trim();
}

function sayField(name: string, value: string | Reason[] | undefined): string {
  if (value === undefined) return '';
  if (typeof value !== 'string') return value.map(sayOne).join(', ');
  if (name === 'step') return stepTitle(value);
  return KOREAN_WORDS[value] ?? value;
}

const FAILURES: Record<string, Key> = {
  unreachable: 'failedUnreachable',
  refused: 'failedRefused',
  subprotocol: 'failedSubprotocol',
  join: 'failedJoin',
  never_quiet: 'failedNeverQuiet',
  too_large: 'failedTooLarge',
  new_ended: 'failedNewEnded',
  protocol: 'failedProtocol',
};

/** Return why clients of a relay could not be moved: `3: the new program refused them`. */
export function sayFailures(failures: Record<string, number> | undefined): string {
  const counted = Object.entries(failures ?? {}).filter(([, count]) => count > 0);
  const say = (name: string): string => (FAILURES[name] ? t(FAILURES[name]) : name.replaceAll('_', ' '));
  return counted
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, count]) => `${count}: ${say(name)}`)
    .join(' · ');
}
