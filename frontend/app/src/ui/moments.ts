type Options = Intl.DateTimeFormatOptions;

/** Kept, because making a format takes far longer than using it. */
const formats = new Map<string, Intl.DateTimeFormat>();

function format(at: Date, speak: string, kind: string, options: Options): string {
  const key = `${kind} ${speak}`;
  let made = formats.get(key);
  if (made === undefined) formats.set(key, (made = new Intl.DateTimeFormat(speak, options)));
  return made.format(at);
}

/** Return the time of a day, such as 14:05. */
export const formatTime = (at: Date, speak: string): string =>
  format(at, speak, 'time', { hour: 'numeric', minute: '2-digit' });

/** Return a day, such as Thursday, 26 November 2026. */
export const formatDay = (at: Date, speak: string): string => format(at, speak, 'day', { dateStyle: 'full' });

/** Return a date and time to the second. */
export const formatMoment = (at: Date, speak: string): string =>
  format(at, speak, 'moment', { dateStyle: 'full', timeStyle: 'medium' });

/** Return a number that differs between any two days of this browser's time zone. */
export function dayOf(ms: number): number {
  const at = new Date(ms);
  return (at.getFullYear() * 12 + at.getMonth()) * 31 + at.getDate();
}

/** Return a size, such as 1.4 MB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const value = bytes / 1000 ** power;
  return `${value.toFixed(power > 0 && value < 10 ? 1 : 0)} ${units[power]}`;
}
