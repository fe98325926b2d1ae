import type { ChatEvent, HistoryPage, OutboxMessage } from '@isshoni/client';
import { expect, test } from 'vitest';
import { Conversation } from '../src/models/conversation.js';

/** A client that does as it is told. */
class ScriptedClient {
  readonly clientId = 'c-me';
  pending: OutboxMessage[] = [];
  readonly history = (): Promise<HistoryPage> => Promise.resolve(this.older);
  older: HistoryPage = { messages: [], more: false };
  private readonly listeners: Record<string, (event: never) => void> = {};

  on(name: string, listener: (event: never) => void): () => void {
    this.listeners[name] = listener;
    return () => undefined;
  }

  type(text: string): void {
    this.pending.push({ n: (this.pending.at(-1)?.n ?? 0) + 1, text });
    this.listeners.saved!(undefined as never);
  }

  /** Report that a change of the canvas is saved, or waits for that. */
  saveStroke(): void {
    this.listeners.saved!(undefined as never);
  }

  renumber(changes: [number, number][]): void {
    const now = new Map(changes);
    this.pending = this.pending.map(({ n, text }) => ({ n: now.get(n) ?? n, text }));
    this.listeners.numbered!({ changes } as never);
    this.listeners.saved!(undefined as never);
  }

  /** Refuse a message for good: later ones move up. */
  refuse(refused: OutboxMessage, reason: string): void {
    this.pending = this.pending.filter((message) => message !== refused);
    this.listeners.refused!({ ...refused, reason } as never);
    this.renumber(this.pending.filter(({ n }) => n > refused.n).map(({ n }) => [n, n - 1]));
  }

  doubt(text: string): void {
    this.pending = this.pending.filter((message) => message.text !== text);
    this.listeners.doubtful!({ text } as never);
    this.listeners.saved!(undefined as never);
  }

  acknowledge(n: number): void {
    this.pending = this.pending.filter((message) => message.n > n);
    this.listeners.saved!(undefined as never);
  }

  event(seq: number, n: number, text: string, reset = false): void {
    const message: ChatEvent = { type: 'chat', seq, n, text, client_id: this.clientId, at: 0 };
    this.listeners.chat!({ messages: [message], reset } as never);
  }
}

function start(): { client: ScriptedClient; conversation: Conversation; waiting: () => string[] } {
  const client = new ScriptedClient();
  const conversation = new Conversation(client as never);
  const waiting = (): string[] => conversation.waiting.map((m) => m.text + (m.saved ? '' : '?'));
  return { client, conversation, waiting };
}

test('a message waits until it is acknowledged, and stays until its event comes', () => {
  const { client, waiting } = start();
  client.type('one');
  expect(waiting()).toEqual(['one?']);
  client.acknowledge(1);
  expect(waiting()).toEqual(['one']);
  client.event(1, 1, 'one');
  expect(waiting()).toEqual([]);
});

test('an event that overtakes its acknowledgement is not shown twice', () => {
  const { client, conversation, waiting } = start();
  client.type('one');
  client.event(1, 1, 'one');
  client.type('two');
  expect(waiting()).toEqual(['two?']);
  expect(conversation.messages.map((m) => m.text)).toEqual(['one']);
});

test('a new log forgets what the old one had, but nothing unsaved', () => {
  const { client, conversation, waiting } = start();
  client.type('saved in the old log');
  client.acknowledge(1);
  client.pending = [{ n: 2, text: 'unsaved' }];
  client.acknowledge(1);
  client.event(1, 1, 'other', true);
  expect(conversation.messages.map((m) => m.text)).toEqual(['other']);
  expect(waiting()).toEqual(['unsaved?']);
});

test('a message that gets another number is shown once, and waits for that one', () => {
  const { client, waiting } = start();
  client.type('typed before the restore');
  client.renumber([[1, 11]]);
  expect(waiting()).toEqual(['typed before the restore?']);
  client.event(1, 1, 'of long ago');
  expect(waiting()).toEqual(['typed before the restore?']);
  client.acknowledge(11);
  client.event(12, 11, 'typed before the restore');
  expect(waiting()).toEqual([]);
});

test('a message that may have arrived long ago is shown to its author, and waits no more', () => {
  const { client, conversation, waiting } = start();
  client.type('sent long ago');
  client.type('new');
  client.doubt('sent long ago');
  expect(waiting()).toEqual(['new?']);
  expect(conversation.doubtful).toEqual(['sent long ago']);
});

test('older messages come before those there are, until there are no more', async () => {
  const { client, conversation } = start();
  client.event(3, 3, 'three');
  const older = { type: 'chat', client_id: 'c-other', n: 1, at: 0 } as const;
  client.older = { messages: [{ ...older, seq: 2, text: 'two' }], more: true };
  await conversation.loadOlder();
  client.older = { messages: [{ ...older, seq: 1, text: 'one' }], more: false };
  await Promise.all([conversation.loadOlder(), conversation.loadOlder()]);
  await conversation.loadOlder();
  expect(conversation.messages.map((m) => m.text)).toEqual(['one', 'two', 'three']);
});

test('older messages of a log that is gone are not shown', async () => {
  const { client, conversation } = start();
  client.event(3, 3, 'three');
  client.older = { messages: [{ type: 'chat', client_id: 'c-other', n: 1, at: 0, seq: 2, text: 'two' }], more: true };
  const loading = conversation.loadOlder();
  client.event(1, 1, 'anew', true);
  await loading;
  expect(conversation.messages.map((m) => m.text)).toEqual(['anew']);
});

test('a refused message leaves, and those that move up keep their places', () => {
  const { client, conversation, waiting } = start();
  for (const text of ['one', 'bad', 'three']) client.type(text);
  client.refuse(client.pending[1]!, 'too long');
  expect(waiting()).toEqual(['one?', 'three?']);
  expect(conversation.refusal).toBe('too long');
  client.event(1, 1, 'one');
  client.event(2, 2, 'three');
  expect(waiting()).toEqual([]);
});

test('it notifies of what is saved only when an own message is', () => {
  const { client, conversation, waiting } = start();
  let changes = 0;
  conversation.observe(() => (changes += 1));
  client.saveStroke();
  expect(changes).toBe(0);
  client.type('hello');
  expect(changes).toBe(1);
  client.saveStroke();
  expect(changes).toBe(1);
  client.acknowledge(1);
  expect(changes).toBe(2);
  client.saveStroke();
  expect([changes, waiting()]).toEqual([2, ['hello']]);
});

test('a message that got the number of a refused one is shown', () => {
  const { client, conversation, waiting } = start();
  client.type('too long');
  client.refuse(client.pending[0]!, 'too_long');
  const before = conversation.version();
  client.type('short');
  expect(waiting()).toEqual(['short?']);
  expect(conversation.version()).toBeGreaterThan(before);
});
