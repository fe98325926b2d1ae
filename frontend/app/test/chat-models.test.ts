import type { ChatEvent, HistoryPage } from '@isshoni/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { Conversation } from '../src/models/conversation.js';
import { Search } from '../src/models/search.js';
import { Typing } from '../src/models/typing.js';
import type { ReadMark } from '../src/models/read-marks.js';
import { Unread } from '../src/models/unread.js';

const event = (seq: number, text = `${seq}`, client_id = 'c-other'): ChatEvent => ({ type: 'chat', seq, client_id, n: seq, text, at: seq * 1000 });

/** A client whose log has `size` messages, of which the last 200 are restored. */
class LogClient {
  readonly clientId = 'c-me';
  readonly pending = [];
  readonly permit = null;
  asked: number[] = [];
  hold: Promise<void> = Promise.resolve();
  private readonly listeners = new Map<string, ((event: never) => void)[]>();

  constructor(private readonly log: ChatEvent[]) {}

  on(name: string, listener: (event: never) => void): () => void {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
    return () => undefined;
  }

  emit(name: string, value: object): void {
    for (const listener of this.listeners.get(name) ?? []) listener(value as never);
  }

  async history(before: number, limit: number): Promise<HistoryPage> {
    this.asked.push(before);
    await this.hold;
    const first = Math.max(0, before - 1 - limit);
    return { messages: this.log.slice(first, before - 1), more: first > 0 };
  }
}

class FakeMarks {
  constructor(public mark: ReadMark | null = null) {}

  load(): ReadMark | null {
    return this.mark;
  }

  save(mark: ReadMark): void {
    this.mark = mark;
  }
}

function restored(log: ChatEvent[]): { client: LogClient; conversation: Conversation } {
  const client = new LogClient(log);
  const conversation = new Conversation(client as never);
  client.emit('chat', { messages: log.slice(-200), reset: false });
  return { client, conversation };
}

const logOf = (size: number, texts: Record<number, string> = {}): ChatEvent[] =>
  Array.from({ length: size }, (_, at) => event(at + 1, texts[at + 1]));

test('a search goes back to the beginning of the log, and shows no more of it in the list', async () => {
  const { client, conversation } = restored(logOf(1000, { 7: 'The Needle', 990: 'needles' }));
  const search = new Search(conversation);
  await search.start(' needle ');
  expect(search.state).toBe('done');
  expect(search.hits.map(({ seq }) => seq)).toEqual([990, 7]);
  expect(search.looked).toBe(1000);
  expect(client.asked).toEqual([801, 601, 401, 201]);
  expect(conversation.shown.map(({ seq }) => seq)).toEqual(logOf(1000).slice(-200).map(({ seq }) => seq));
  conversation.showFrom(7);
  expect(conversation.shown[0]!.seq).toBe(7);
});

test('a search waits after twenty hits, and goes on where it stopped', async () => {
  const { client, conversation } = restored(logOf(300));
  const search = new Search(conversation);
  await search.start('2');
  expect(search.state).toBe('paused');
  expect(search.hits).toHaveLength(20);
  expect(client.asked).toEqual([]);
  while (search.state === 'paused') await search.goOn();
  expect(search.hits.map(({ seq }) => seq)).toEqual(logOf(300).filter(({ text }) => text.includes('2')).map(({ seq }) => seq).reverse());
});

test('a search that is cancelled or replaced ends, whatever the server answers later', async () => {
  const { client, conversation } = restored(logOf(1000, { 1: 'needle' }));
  let release!: () => void;
  client.hold = new Promise((resolve) => (release = resolve));
  const search = new Search(conversation);
  const first = search.start('needle');
  expect(search.state).toBe('searching');
  search.cancel();
  expect(search.state).toBe('paused');
  release();
  await first;
  expect(search.hits).toEqual([]);
  expect(client.asked).toHaveLength(1);
});

test('a search of an empty chat finds nothing', async () => {
  const { conversation } = restored([]);
  const search = new Search(conversation);
  await search.start('x');
  expect([search.state, search.hits]).toEqual(['done', []]);
});

test('what a search has loaded is shown, 50 at a time, before the server is asked', async () => {
  const { client, conversation } = restored(logOf(1000));
  await conversation.searchOlder();
  await conversation.loadOlder();
  expect(conversation.shown).toHaveLength(250);
  expect(client.asked).toEqual([801]);
  for (let turn = 0; turn < 4; turn += 1) await conversation.loadOlder();
  expect(conversation.shown).toHaveLength(450);
  expect(client.asked).toEqual([801, 601]);
});

test('unread is what came from others after the first restore while the page was hidden', () => {
  const client = new LogClient([]);
  const unread = new Unread(client as never, new FakeMarks());
  const missed: number[] = [];
  unread.missed = ({ seq }) => missed.push(seq);
  let isWatched = false;
  unread.watch(() => isWatched);
  client.emit('chat', { messages: [event(1), event(2)], reset: false });
  client.emit('status', { status: 'restored' });
  expect(unread.count).toBe(0);
  client.emit('chat', { messages: [event(3), event(4), { ...event(5), about: { kind: 'react', client_id: 'c', n: 1 } }], reset: false });
  expect([unread.count, unread.first, missed]).toEqual([2, 3, [3, 4]]);
  isWatched = true;
  unread.look();
  expect([unread.count, unread.first]).toEqual([0, 3]);
  client.emit('chat', { messages: [event(6)], reset: false });
  expect(unread.count).toBe(0);
  isWatched = false;
  client.emit('chat', { messages: [event(7)], reset: false });
  expect([unread.count, unread.first]).toEqual([1, 7]);
  client.emit('chat', { messages: [event(8, 'mine', 'c-me')], reset: false });
  expect([unread.count, unread.first]).toEqual([1, null]);
  client.emit('chat', { messages: [event(1)], reset: true });
  expect(unread.count).toBe(0);
});

test('what an earlier page of this browser had not shown is still unread after a reload, without a second notification', () => {
  const marks = new FakeMarks();
  const before = new LogClient([]);
  new Unread(before as never, marks).watch(() => true);
  before.emit('chat', { messages: logOf(3), reset: false });
  before.emit('status', { status: 'restored' });
  before.emit('chat', { messages: [event(4)], reset: false });
  expect(marks.mark).toMatchObject({ seq: 4 });
  const client = new LogClient([]);
  const unread = new Unread(client as never, marks);
  const missed: number[] = [];
  unread.missed = ({ seq }) => missed.push(seq);
  let isWatched = false;
  unread.watch(() => isWatched);
  client.emit('chat', { messages: logOf(6), reset: false });
  client.emit('status', { status: 'restored' });
  expect([unread.count, unread.first, missed]).toEqual([2, 5, []]);
  expect(marks.mark).toMatchObject({ seq: 4 });
  isWatched = true;
  unread.look();
  expect([unread.count, marks.mark?.seq]).toEqual([0, 6]);
});

test('the mark of another log counts nothing as unread', () => {
  const client = new LogClient([]);
  const unread = new Unread(client as never, new FakeMarks({ seq: 2, client_id: 'c-of-another-log', n: 9 }));
  client.emit('chat', { messages: logOf(6), reset: false });
  expect(unread.count).toBe(0);
});

test.each([
  ['the conversation', (client: LogClient): Conversation | Unread => new Conversation(client as never)],
  ['what is unread', (client: LogClient): Conversation | Unread => new Unread(client as never, new FakeMarks())],
])('messages that come fast change %s once for many of them, and the last is not left out', async (_, make) => {
  const client = new LogClient([]);
  const model = make(client);
  client.emit('status', { status: 'restored' });
  const sizes: number[] = [];
  model.observe(() => sizes.push(model instanceof Unread ? model.count : model.messages.length));
  for (let seq = 1; seq <= 100; seq += 1) {
    client.emit('chat', { messages: [event(seq)], reset: false });
    await vi.advanceTimersByTimeAsync(1);
  }
  await vi.advanceTimersByTimeAsync(1000);
  expect(sizes[0]).toBe(1);
  expect(sizes.length).toBeLessThan(6);
  expect(sizes.at(-1)).toBe(100);
});

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

test('typing ends three seconds after the last key, and is believed for eight', async () => {
  const [mine, theirs] = [new Awareness(new Y.Doc()), new Awareness(new Y.Doc())];
  const me = new Typing({ clientId: 'c-me', awareness: mine });
  const said: unknown[] = [];
  mine.on('update', () => said.push(mine.getLocalState()?.typing));
  for (let key = 0; key < 8; key += 1) {
    me.wrote('h');
    await vi.advanceTimersByTimeAsync(500);
  }
  expect(said).toEqual([true, true]);
  await vi.advanceTimersByTimeAsync(3000);
  expect(said).toEqual([true, true, false]);
  me.wrote('more');
  me.wrote('');
  expect(said.slice(3)).toEqual([true, false]);

  const them = new Typing({ clientId: 'c-them', awareness: theirs });
  theirs.states.set(7, { client_id: 'c-me', typing: true });
  theirs.emit('update', [{ added: [7], updated: [], removed: [] }, 'remote']);
  expect(them.clients).toEqual(['c-me']);
  await vi.advanceTimersByTimeAsync(7_900);
  expect(them.clients).toEqual(['c-me']);
  await vi.advanceTimersByTimeAsync(200);
  expect(them.clients).toEqual([]);
  theirs.emit('update', [{ added: [], updated: [7], removed: [] }, 'remote']);
  theirs.states.delete(7);
  theirs.emit('update', [{ added: [], updated: [], removed: [7] }, 'remote']);
  expect(them.clients).toEqual([]);
  mine.destroy();
  theirs.destroy();
});
