/** Replies, reactions, edits, deletions and files on their way through the client. */
import { beforeEach, expect, test } from 'vitest';
import { Conversation, memoryStorage, webStorage, type ConversationMessage, type IsshoniClient } from '../src/index.js';
import type { StubServer } from './stub-server.js';
import { restored, saved, until, useStubSession } from './stub-session.js';

const FEATURES = ['reply', 'react', 'edit', 'delete', 'files'];
const PLAN = { id: 'f1', name: 'plan.pdf', type: 'application/pdf', bytes: 9 };

let server: StubServer;
const { create, logged } = useStubSession((started) => {
  server = started;
});

beforeEach(() => {
  server.features = FEATURES;
});

function follow(client: IsshoniClient): () => readonly ConversationMessage[] {
  const conversation = new Conversation();
  client.on('chat', ({ messages, reset }) => {
    if (reset) conversation.reset();
    conversation.add(messages);
  });
  client.connect();
  return () => conversation.messages;
}

test('two clients see a message edited, answered, with a reaction and a file, and deleted', async () => {
  const [ann, bo] = [create(memoryStorage()), create(memoryStorage())];
  const seen = [follow(ann), follow(bo)];
  await Promise.all([restored(ann), restored(bo)]);
  expect(ann.chat.features).toEqual(FEATURES);
  ann.chat.send('hello', { files: [PLAN] });
  await until(() => expect(seen[1]!()).toHaveLength(1));
  const [hello] = seen[1]!();
  bo.chat.reply(hello!, 'hi');
  bo.chat.react(hello!, '👍');
  await until(() => expect(seen[0]!()).toHaveLength(2));
  ann.chat.edit(seen[0]!()[0]!, 'hallo');
  bo.chat.unreact(hello!, '🎉');
  const told = { text: 'hallo', edited: true, reactions: new Map([['👍', [{ client_id: bo.clientId }]]]), files: [PLAN] };
  for (const messages of seen) await until(() => expect(messages()[0]).toMatchObject(told));
  expect(seen[0]!()[1]!.replyTo).toEqual({ kind: 'reply', client_id: ann.clientId, n: 1 });
  ann.chat.delete(hello!);
  for (const messages of seen) await until(() => expect(messages()[0]).toMatchObject({ text: '', deleted: true, files: [] }));
});

test('what was done while offline survives a reload, and is sent once', async () => {
  const storage = new Map<string, string>();
  const kept = (): Storage =>
    ({
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => void storage.set(key, value),
      removeItem: (key: string) => void storage.delete(key),
    }) as unknown as Storage;
  const first = create(webStorage(kept(), 'team'));
  first.chat.react({ client_id: 'bo', n: 1, by: 'bo' }, '👍');
  first.chat.send('plan.pdf', { files: [PLAN] });
  first.close();
  const second = create(webStorage(kept(), 'team'));
  second.connect();
  await saved(second);
  expect(server.state.log).toMatchObject([
    { n: 1, text: '👍', about: { kind: 'react', client_id: 'bo', n: 1, by: 'bo' } },
    { n: 2, text: 'plan.pdf', files: [PLAN] },
  ]);
});

test('a server of an older version gets readable text, once, and nothing waits for ever', async () => {
  server.features = [];
  const client = create(memoryStorage());
  client.connect();
  await restored(client);
  expect(client.chat.features).toEqual([]);
  client.chat.edit({ client_id: 'ann', n: 1 }, 'better');
  client.chat.react({ client_id: 'ann', n: 1 }, '👍');
  client.chat.send('after');
  await saved(client);
  server.connections[0]!.socket.terminate();
  await until(() => expect(server.connections).toHaveLength(2));
  await restored(client);
  expect(logged()).toEqual(['better', '👍', 'after']);
});

test('a refused message comes back with what it was about', async () => {
  server.fault = ({ socket }, frame) => {
    if (frame.type !== 'chat') return false;
    socket.send(JSON.stringify({ type: 'error', code: 'bad_message', message: 'no', n: frame.n }));
    return true;
  };
  const client = create(memoryStorage());
  const refused: unknown[] = [];
  client.on('refused', (event) => refused.push(event));
  client.connect();
  await restored(client);
  client.chat.edit({ client_id: 'ann', n: 1 }, 'better');
  const about = { kind: 'edit', client_id: 'ann', n: 1 };
  await until(() => expect(refused).toEqual([{ n: 1, text: 'better', about, reason: 'no' }]));
});

test('what the server would refuse is refused before it has a number', () => {
  const { chat } = create(memoryStorage());
  const ann = { client_id: 'ann', n: 1 };
  expect(() => chat.react(ann, 'x'.repeat(33))).toThrow('1 to 32 characters');
  expect(() => chat.reply({ client_id: 'a b', n: 1 }, 'hi')).toThrow(RangeError);
  expect(() => chat.edit({ client_id: 'ann', n: 0 }, 'hi')).toThrow(RangeError);
  expect(() => chat.send('x', { files: Array(9).fill(PLAN) })).toThrow('at most 8 files');
  expect(() => chat.send('x', { files: [{ ...PLAN, name: '' }] })).toThrow('1 to 255');
  expect(chat.pending).toEqual([]);
  expect(chat.react(ann, '👨‍👩‍👧‍👦').n).toBe(1);
});
