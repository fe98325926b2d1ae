import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import * as order from '../src/order.js';
import { Places } from '../src/places.js';

vi.mock('../src/order.js', async (original) => {
  const module = await original<typeof order>();
  return { ...module, comparePlaces: vi.fn(module.comparePlaces), complete: vi.fn(module.complete), usable: vi.fn(module.usable) };
});

type Kept = [id: string, index: unknown][];
type Act = { set: [id: string, index: unknown] } | { remove: string } | { keep: Kept } | { settle: true };

/** Few ids and few indices: places are taken twice, missing, and no index at all. */
const ID = fc.constantFrom(...'abcdefghijklmnop');
const INDEX = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a0', 'a1', 'a2', 'a3', 'a1V', 'a1G', 'a2V', 'Zz') },
  { weight: 1, arbitrary: fc.constantFrom('', 'A5', 'a', 'a10', 7, null, undefined) },
);
const ACT: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ set: fc.tuple(ID, INDEX) }) },
  { weight: 2, arbitrary: fc.record({ remove: ID }) },
  { weight: 1, arbitrary: fc.record({ keep: fc.uniqueArray(fc.tuple(ID, INDEX), { selector: ([id]) => id, maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.constant<Act>({ settle: true }) },
);

/** Sort and complete all places, as at the first load. */
function arrangeAll(stored: ReadonlyMap<string, unknown>, kept: Kept = []): unknown {
  const all = [...new Map<string, unknown>([...stored, ...kept])].map(([id, index]): order.Place => [id, order.usable(index)]);
  return order.complete(all.sort(order.comparePlaces));
}

function unsettledOf(stored: ReadonlyMap<string, unknown>): unknown {
  return (arrangeAll(stored) as { id: string; index: string }[]).filter(({ id, index }) => stored.get(id) !== index);
}

function check(acts: readonly Act[]): void {
  const [places, stored] = [new Places(), new Map<string, unknown>()];
  for (const act of acts) {
    if ('set' in act) {
      stored.set(...act.set);
      places.set(...act.set);
    } else if ('remove' in act) {
      stored.delete(act.remove);
      places.delete(act.remove);
    } else if ('keep' in act) expect(places.arrange(act.keep)).toEqual(arrangeAll(stored, act.keep));
    else expect(places.unsettled()).toEqual(unsettledOf(stored));
  }
  expect(places.arrange()).toEqual(arrangeAll(stored));
  expect(places.unsettled()).toEqual(unsettledOf(stored));
}

test('the order after any changes is that of sorting and completing all', () => {
  fc.assert(fc.property(fc.array(ACT, { maxLength: 60 }), check), { numRuns: 1_000 });
});

test('so it is when each change is arranged, and when all are at once', () => {
  const acts = fc.array(ACT, { maxLength: 30 });
  const eachArranged = acts.map((list) => list.flatMap((act): Act[] => [act, { keep: [] }]));
  fc.assert(fc.property(eachArranged, check), { numRuns: 500 });
  const many = fc.array(fc.record({ set: fc.tuple(fc.integer({ max: 400, min: 0 }).map(String), INDEX) }), { minLength: 150, maxLength: 300 });
  fc.assert(fc.property(many, acts, (first, then) => check([...first, { keep: [] }, ...then, { keep: [] }])), { numRuns: 50 });
});

/** Return places that are all in order, and how often they are compared and completed in `action`. */
function workOf(count: number, action: (places: Places) => void): { compared: number; completed: number; read: number } {
  const places = new Places();
  for (let at = 0; at < count; at += 1) places.set(`e${at}`, indexAt(at));
  places.arrange();
  const [compared, completed, read] = [vi.mocked(order.comparePlaces), vi.mocked(order.complete), vi.mocked(order.usable)];
  [compared, completed, read].forEach((mock) => mock.mockClear());
  action(places);
  return { compared: compared.mock.calls.length, completed: completed.mock.calls.length, read: read.mock.calls.length };
}

/** Return an index for each number below 10,000. */
const indexAt = (at: number): string => `d${String(at).padStart(4, '0')}1`;

test('a new element, its stroke and its settling are as little work on 9,000 elements as a search in them', () => {
  const stroke = (places: Places): void => {
    places.arrange([['new', 'e00001']]);
    places.set('new', 'e00001');
    expect(places.unsettled()).toEqual([]);
    for (let point = 0; point < 30; point += 1) places.arrange([['new', 'e00001']]);
    places.arrange();
  };
  const work = workOf(9_000, stroke);
  expect(work.completed).toBe(0);
  expect(work.compared).toBeLessThan(6 * Math.log2(9_000));
  expect(work.read).toBeLessThan(5);
});

test('an element put between two, with an index that is taken, completes what is around it only', () => {
  const work = workOf(9_000, (places) => {
    places.set('new', indexAt(4_000));
    places.set('e7000', 'none');
    places.delete('e5000');
    expect(places.unsettled().map(({ id }) => id).sort()).toEqual(['e7000', 'new']);
  });
  expect(work.completed).toBe(0);
  expect(work.compared).toBeLessThan(200);
  expect(work.read).toBeLessThan(5);
});
