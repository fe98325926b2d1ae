import * as Y from 'yjs';
import { isEqual, type Properties } from './element.js';

/** Lists that grow at their end while a stroke is drawn: kept so that only the new points travel. */
const GROWING = new Set(['points', 'pressures']);

/** Return the properties of an element in the document; null for what is none. */
export function readStored(value: unknown): Properties | null {
  const plain: unknown = value instanceof Y.Map ? value.toJSON() : value;
  const usable = typeof plain === 'object' && plain !== null && !Array.isArray(plain) && !(plain instanceof Y.AbstractType);
  return usable ? (plain as Properties) : null;
}

/** Return the index of an element in the document, without reading the rest of it. */
export const readIndex = (value: unknown): unknown => (value instanceof Y.Map ? value.get('index') : readStored(value)?.index);

/**
 * Write a new element without its type; without a type it is not shown.
 *
 * Drawing and undoing then only set and remove the type. The other properties stay in the
 * document, so a redo keeps the changes of other users, and their undo still has its element.
 */
export function prepareStored(map: Y.Map<unknown>, id: string, properties: Properties): void {
  const fresh = new Y.Map<unknown>();
  for (const [name, value] of Object.entries(properties)) {
    if (name !== 'type') fresh.set(name, toStoredValue(name, value, properties));
  }
  map.set(id, fresh);
}

/**
 * Write what changed of an element.
 *
 * Properties that did not change are left alone: another user may be changing them. One
 * that was written whole, as plain JSON, becomes a map of properties.
 */
export function writeStored(map: Y.Map<unknown>, id: string, before: Properties, after: Properties): void {
  const stored = map.get(id);
  if (!(stored instanceof Y.Map)) {
    prepareStored(map, id, after);
    (map.get(id) as Y.Map<unknown>).set('type', after.type);
    return;
  }
  for (const [name, value] of Object.entries(after)) {
    if (isEqual(before[name], value)) continue;
    if (!append(stored.get(name), before[name], value)) stored.set(name, toStoredValue(name, value, after));
  }
  for (const name of Object.keys(before)) if (!(name in after)) stored.delete(name);
}

function toStoredValue(name: string, value: unknown, { type }: Properties): unknown {
  return type === 'freedraw' && GROWING.has(name) && Array.isArray(value) ? Y.Array.from(value as Properties[]) : value;
}

/** Add to a list what it has grown by; false if that is not what happened. */
function append(stored: unknown, before: unknown, after: unknown): boolean {
  if (!(stored instanceof Y.Array) || !Array.isArray(before) || !Array.isArray(after)) return false;
  const grown = stored.length === before.length && after.length > before.length;
  if (!grown || !before.every((item, at) => isEqual(item, after[at]))) return false;
  stored.push(after.slice(before.length));
  return true;
}
