const escape = (name: string): string => name.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');

/**
 * Return a sticky expression that matches `@` and one of `names`, the longest first; null for no names.
 *
 * A Latin name ends where its word ends. After a Hangul one a particle may follow.
 */
export function mentionOf(names: readonly string[]): RegExp | null {
  const known = [...new Set(names)].filter((name) => name !== '').sort((a, b) => b.length - a.length);
  if (known.length === 0) return null;
  const endings = known.map((name) => escape(name) + (/[A-Za-z0-9_]$/.test(name) ? '(?![A-Za-z0-9_])' : ''));
  return new RegExp(`@(?:${endings.join('|')})`, 'uy');
}

/** True if a text mentions a name. */
export function mentions(text: string, name: string): boolean {
  const mention = mentionOf([name]);
  if (mention === null) return false;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    mention.lastIndex = at;
    if (!/[A-Za-z0-9]/.test(text[at - 1] ?? '') && mention.test(text)) return true;
  }
  return false;
}

/** A mention that is being typed: where its `@` is, and what follows. */
export interface Begun {
  from: number;
  part: string;
}

const LONGEST_PART = 40;

/** Return the mention that is typed at the caret; null if there is none. */
export function begunAt(text: string, caret: number): Begun | null {
  const from = text.lastIndexOf('@', caret - 1);
  if (from < 0 || caret - from > LONGEST_PART || /[A-Za-z0-9]/.test(text[from - 1] ?? '')) return null;
  const part = text.slice(from + 1, caret);
  return /[\n@]|^\s/.test(part) ? null : { from, part };
}

/** Return up to `most` names that a part may become: those that begin with it before those that have it inside. */
export function completions(names: readonly string[], part: string, most = 6): string[] {
  const wanted = part.toLocaleLowerCase();
  const found = [...new Set(names)].filter((name) => name.toLocaleLowerCase().includes(wanted));
  const rank = (name: string): number => (name.toLocaleLowerCase().startsWith(wanted) ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b)).slice(0, most);
}
