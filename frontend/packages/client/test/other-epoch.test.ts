/** What a client sends again in another epoch, whose log may have forgotten it. */
import { expect, test, vi } from 'vitest';
import { memoryStorage } from '../src/index.js';
import type { StubServer } from './stub-server.js';
import { restored, saved, useStubSession } from './stub-session.js';

vi.setConfig({ testTimeout: 30_000 });

let server: StubServer;
const { create, logged } = useStubSession((started) => (server = started));


/** The log goes on under another epoch, with `count` messages of another client and none of ours. */
function goOnElsewhere(count: number): void {
  server.state.epoch = 'epoch-2';
  server.state.log.splice(0);
  for (let n = 1; n <= count; n += 1) server.state.log.push({ client_id: 'c-other', n, text: `other ${n}`, at: 1 });
}

test.each([
  ['is left alone by a log that may have forgotten it since', 300, []],
  ['is sent again to a log that shows all it ever took', 200, ['one', 'two']],
  ['is sent again to an empty log', 0, ['one', 'two']],
])('what another epoch acknowledged %s', async (_, count, again) => {
  const client = create(memoryStorage());
  client.connect();
  client.send('one');
  client.send('two');
  await saved(client);
  goOnElsewhere(count);
  server.connections[0]!.socket.close(1011);
  await server.connection(1);
  await restored(client);
  client.send('new');
  await saved(client);
  expect(logged().slice(count)).toEqual([...again, 'new']);
});

test.each([
  ['goes back to its author where the log may have forgotten it', 300, [], ['unanswered']],
  ['is sent where the log shows all it ever took', 200, ['unanswered'], []],
])('what may have been sent in another epoch %s', async (_, count, sent, givenBack) => {
  goOnElsewhere(count);
  const store = memoryStorage();
  const sent_at = { epoch: 'epoch-1', seq: 5 };
  const outbox = { client_id: 'c-away', last_n: 2, pending: [{ n: 2, text: 'unanswered' }], sent_n: 2, sent_at };
  store.save({ outbox, generation: 1 });
  const client = create(store);
  const doubtful: string[] = [];
  client.on('doubtful', ({ text }) => doubtful.push(text));
  client.connect();
  client.send('new');
  await saved(client);
  expect(logged().slice(count)).toEqual([...sent, 'new']);
  expect(doubtful).toEqual(givenBack);
});
