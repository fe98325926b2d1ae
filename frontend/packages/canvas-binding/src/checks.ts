/** Returns a usable value for what a client wrote; undefined if there is none. */
export type Check = (value: unknown) => unknown;

export const number =
  (least: number, most: number): Check =>
  (value) =>
    typeof value === 'number' && Number.isFinite(value) ? Math.min(Math.max(value, least), most) : undefined;

export const oneOf =
  (...choices: unknown[]): Check =>
  (value) =>
    choices.includes(value) ? value : undefined;

export const text =
  (longest: number): Check =>
  (value) =>
    typeof value === 'string' ? value.slice(0, longest) : undefined;

export const flag: Check = (value) => (typeof value === 'boolean' ? value : undefined);

export const orNull =
  (check: Check): Check =>
  (value) =>
    value === null ? null : check(value);

export const list =
  (check: Check, most: number): Check =>
  (value) =>
    Array.isArray(value)
      ? value.slice(0, most).map(check).filter((item) => item !== undefined)
      : undefined;

/** An object whose fields are all as they must be. */
export const record =
  (fields: Record<string, Check>): Check =>
  (value) => {
    if (typeof value !== 'object' || value === null) return undefined;
    const checked = Object.entries(fields).map(([name, check]) => [name, check((value as Record<string, unknown>)[name])]);
    return checked.some(([, field]) => field === undefined) ? undefined : (Object.fromEntries(checked) as unknown);
  };

export const pair =
  (check: Check): Check =>
  (value) => {
    if (!Array.isArray(value) || value.length !== 2) return undefined;
    const both = value.map((item: unknown) => check(item));
    return both.includes(undefined) ? undefined : both;
  };

/** A colour, and nothing else that CSS understands. */
export const colour: Check = (value) =>
  typeof value === 'string' && /^(#[0-9a-f]{3,8}|[a-z]{1,32}|(rgb|hsl)a?\([0-9.,%\s/]{1,60}\))$/i.test(value) ? value : undefined;

/** A link that can do no more than open a page. */
export const link: Check = (value) =>
  typeof value === 'string' && value.length <= 2000 && /^(https?:\/\/|mailto:)/i.test(value) ? value : null;
