import { language } from './i18n.js';

/** Format seconds like a clock: 4.2 s, 1:05, 2:03:20. */
export function sayClock(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (part: number): string => String(part).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export const sayCount = (count: number): string => count.toLocaleString('en');

/** The browser's way to write dates, if it is of the page's language. */
const locale = (): string => (navigator.language.startsWith(language()) ? navigator.language : language());

/** Format a time (seconds since 1970) with its date. */
export const sayTime = (at: number): string =>
  new Date(at * 1000).toLocaleString(locale(), { dateStyle: 'short', timeStyle: 'short' });

/** Format a time of today, or of another day with its date, to the second. */
export function sayMoment(at: number): string {
  const [moment, today] = [new Date(at * 1000), new Date()];
  const same = moment.toDateString() === today.toDateString();
  return moment.toLocaleString(locale(), same ? { timeStyle: 'medium' } : { dateStyle: 'short', timeStyle: 'medium' });
}
