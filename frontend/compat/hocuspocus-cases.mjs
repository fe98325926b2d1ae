/**
 * The cases of the Hocuspocus provider's own tests, each with a place where its sockets may be moved.
 *
 *     node compat/hocuspocus-cases.mjs WS_URL [move]
 *
 * With `move` a case prints `{"move": N}` in its middle, and goes on when stdin has the line `N`. At the end
 * `{"results": {CASE: "" or what was wrong}}` is printed.
 *
 * After ueberdosis/hocuspocus, tests/provider, tests/server/onStateless.ts and sessionAwareness.ts (MIT License,
 * Copyright (c) 2023, Tiptap GmbH). What each tries is theirs; it is written here for a server in other processes.
 */
import { HocuspocusProvider, HocuspocusProviderWebsocket, AwarenessError } from '@hocuspocus/provider';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers';
import { WebSocket } from 'ws';
import * as Y from 'yjs';

const [url, moving] = process.argv.slice(2);
const SECRET = 'SUPER-SECRET-TOKEN';
const EDIT = 'A document update';
const PRESENCE = 'Awareness states update';
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const waiting = new Map();

/** What a case works with; its sockets name its number. */
class Case {
  #open = [];
  #number;
  closes = 0;

  constructor(number) {
    this.#number = number;
    this.name = randomUUID();
  }

  socket() {
    const socket = new HocuspocusProviderWebsocket({ url: `${url}/?case=${this.#number}`, WebSocketPolyfill: WebSocket });
    socket.on('close', () => (this.closes += 1));
    this.#open.push(socket);
    return socket;
  }

  /** Return an attached provider, with the events that it has seen in `seen`. */
  provider({ kind = '', websocketProvider = this.socket(), ...options } = {}) {
    const provider = new HocuspocusProvider({ websocketProvider, name: `${kind}${this.name}`, token: 't', ...options });
    provider.seen = [];
    for (const event of ['open', 'connect', 'message', 'authenticated', 'authenticationFailed', 'synced', 'disconnect', 'close']) {
      provider.on(event, () => provider.seen.push(event));
    }
    provider.stateless = [];
    provider.on('stateless', ({ payload }) => provider.stateless.push(payload));
    provider.outgoing = [];
    provider.on('outgoingMessage', ({ message }) => provider.outgoing.push(message.description));
    this.#open.unshift(provider);
    provider.attach();
    return provider;
  }

  async synced(options) {
    const provider = this.provider(options);
    await this.until(() => provider.synced);
    return provider;
  }

  async until(condition) {
    for (let n = 0; n < 1500; n += 1) {
      if (condition()) return;
      await sleep(20);
    }
    assert.fail(`30 s without ${condition}`);
  }

  async move() {
    if (!moving) return;
    const moved = new Promise((done) => waiting.set(String(this.#number), done));
    console.log(JSON.stringify({ move: this.#number }));
    await moved;
  }

  end() {
    for (const one of this.#open) one.destroy();
  }
}

const map = (provider) => provider.document.getMap('test');
const count = (provider, description) => provider.outgoing.filter((one) => one === description).length;
const states = (provider) => [...provider.awareness.getStates().values()];
const sees = (provider, field, value) => states(provider).some((state) => state[field] === value);
/** Do what a provider does every 15 s: until then a moved client is not in the server's list (docs/profiles.md). */
async function announce(provider) {
  await sleep(1500); // the old program has seen it leave
  provider.awareness.setLocalState(provider.awareness.getLocalState());
  await sleep(100);
}
const sawOpening = (event) => async (t) => {
  const provider = t.provider();
  await t.until(() => provider.seen.includes(event));
  await t.until(() => provider.synced);
  await t.move();
  map(provider).set('a', 1);
  await t.until(() => !provider.hasUnsyncedChanges);
  assert.equal(provider.seen.filter((one) => one === event).length > 0, true);
  assert.equal(t.closes, 0);
};
const authenticates = (token, scope, kind) => async (t) => {
  const provider = await t.synced({ token, kind });
  await t.move();
  assert.deepEqual([provider.isAuthenticated, provider.authorizedScope], [true, scope]);
  assert.equal(provider.seen.filter((event) => event === 'authenticated').length, 1);
};
const leaves = (event) => async (t) => {
  const provider = await t.synced();
  await t.move();
  assert.equal(t.closes, 0);
  provider.configuration.websocketProvider.disconnect();
  await t.until(() => provider.seen.includes(event));
};
const loads = (kind) => async (t) => {
  const provider = await t.synced({ kind });
  if (kind.includes('filled')) assert.equal(map(provider).get('foo'), 'bar');
  await t.move();
  const other = await t.synced({ kind });
  map(other).set('later', 1);
  await t.until(() => map(provider).get('later') === 1);
  assert.equal(provider.seen.filter((one) => one === 'synced').length, 1);
};
const keepsUnsynced = (kind, change) => async (t) => {
  const document = new Y.Doc();
  if (kind) {
    const other = await t.synced({ kind });
    Y.applyUpdate(document, Y.encodeStateAsUpdate(other.document));
  }
  change(document.getMap('test'));
  const provider = t.provider({ kind, document, token: 'readonly' });
  await t.until(() => provider.seen.includes('synced') && provider.hasUnsyncedChanges);
  await t.move();
  await sleep(100);
  assert.equal(provider.hasUnsyncedChanges, true);
};

const cases = {
  'onOpen': sawOpening('open'),
  'onConnect': sawOpening('connect'),
  'onMessage': sawOpening('message'),
  'onSynced': sawOpening('synced'),
  'onClose': leaves('close'),
  'onDisconnect': leaves('disconnect'),
  'onSynced once the document is loaded': loads('filled-'),
  'onSynced when loading takes longer': loads('slow-filled-'),
  'onAuthenticated: a token': authenticates(SECRET, 'read-write', 'secret-'),
  'onAuthenticated: a function': authenticates(() => SECRET, 'read-write', 'secret-'),
  'onAuthenticated: a promise': authenticates(async () => SECRET, 'read-write', 'secret-'),
  'onAuthenticated: readonly': authenticates('readonly', 'readonly', ''),
  'onAuthenticationFailed': async (t) => {
    const provider = t.provider({ kind: 'secret-', token: 'wrong' });
    await t.until(() => provider.seen.includes('authenticationFailed'));
    await t.move();
    await sleep(100);
    assert.equal(provider.isAuthenticated, false);
  },
  'onAuthenticationFailed: a second token': async (t) => {
    let asked = 0;
    const provider = t.provider({
      kind: 'secret-',
      token: () => (asked++ === 0 ? 'wrong' : SECRET),
      onAuthenticationFailed: () => t.move().then(() => (provider.sendToken(), provider.startSync())),
    });
    await t.until(() => provider.isAuthenticated && provider.synced);
    map(provider).set('a', 1);
    await t.until(() => !provider.hasUnsyncedChanges);
  },
  'onAuthenticationFailed: a second provider on the socket': async (t) => {
    const websocketProvider = t.socket();
    const wrong = t.provider({ kind: 'secret-', token: 'wrong', websocketProvider });
    await t.until(() => wrong.seen.includes('authenticationFailed'));
    await t.move();
    const right = await t.synced({ kind: 'secret-', token: SECRET, websocketProvider });
    assert.deepEqual([wrong.isAuthenticated, right.isAuthenticated], [false, true]);
  },
  'hasUnsyncedChanges: none at first': async (t) => {
    const provider = t.provider();
    assert.deepEqual([provider.hasUnsyncedChanges, provider.synced], [false, false]);
    await t.until(() => provider.synced && !provider.hasUnsyncedChanges);
    await t.move();
    await sleep(100);
    assert.equal(provider.hasUnsyncedChanges, false);
  },
  'hasUnsyncedChanges: an update': async (t) => {
    const provider = await t.synced();
    map(provider).set('a', 1);
    assert.equal(provider.hasUnsyncedChanges, true);
    const moved = t.move();
    map(provider).set('b', 1);
    await moved;
    await t.until(() => !provider.hasUnsyncedChanges);
  },
  'hasUnsyncedChanges: readonly, no changes': async (t) => {
    const provider = await t.synced({ token: 'readonly' });
    await t.until(() => !provider.hasUnsyncedChanges);
    await t.move();
    await sleep(100);
    assert.equal(provider.hasUnsyncedChanges, false);
  },
  'hasUnsyncedChanges: readonly, an update': async (t) => {
    const provider = await t.synced({ token: 'readonly' });
    map(provider).set('a', 1);
    await t.move();
    await sleep(100);
    assert.equal(provider.hasUnsyncedChanges, true);
  },
  'hasUnsyncedChanges: readonly, an update of another client': async (t) => {
    const [provider, other] = [await t.synced({ token: 'readonly' }), await t.synced()];
    map(provider).set('a', 1);
    await t.move();
    map(other).set('b', 1);
    await t.until(() => !other.hasUnsyncedChanges && map(provider).get('b') === 1);
    assert.deepEqual([provider.hasUnsyncedChanges, map(other).has('a')], [true, false]);
  },
  'hasUnsyncedChanges: readonly, a changed document': keepsUnsynced('', (test) => test.set('a', 1)),
  'hasUnsyncedChanges: readonly, a deletion': keepsUnsynced('filled-', (test) => test.delete('foo')),
  'onAwarenessChange: its own field': async (t) => {
    const provider = t.provider();
    const seen = [];
    provider.on('awarenessChange', (change) => seen.push(change.states));
    await t.until(() => provider.synced);
    provider.setAwarenessField('foo', 'bar');
    await t.move();
    assert.equal(seen.at(-1).length, 1);
    assert.equal(seen.at(-1)[0].foo, 'bar');
  },
  'awareness is shared with other users': async (t) => {
    const [one, two] = [await t.synced(), await t.synced()];
    one.setAwarenessField('name', 'player1');
    await t.move();
    two.setAwarenessField('name', 'player2');
    await t.until(() => sees(two, 'name', 'player1') && sees(one, 'name', 'player2'));
  },
  'gets the current awareness states from the server': async (t) => {
    const one = await t.synced();
    one.setAwarenessField('foo', 'bar');
    await t.move();
    await announce(one);
    const two = await t.synced();
    await t.until(() => sees(two, 'foo', 'bar'));
  },
  'awareness is not shared with other documents': async (t) => {
    const [one, two] = [await t.synced(), await t.synced({ kind: 'other-' })];
    two.setAwarenessField('name', 'player2');
    await t.move();
    two.setAwarenessField('name', 'player3');
    await sleep(200);
    assert.equal(states(one).length, 1);
  },
  'awareness may be null': async (t) => {
    const provider = await t.synced({ awareness: null });
    assert.throws(() => provider.setAwarenessField('foo', 'bar'), AwarenessError);
    await t.move();
    map(provider).set('a', 1);
    await t.until(() => !provider.hasUnsyncedChanges);
  },
  'awareness of the server is not echoed': async (t) => {
    const [one, two] = [await t.synced(), await t.synced()];
    await t.move();
    await sleep(200);
    const before = count(two, PRESENCE);
    one.setAwarenessField('foo', 'bar');
    await t.until(() => sees(two, 'foo', 'bar'));
    await sleep(100);
    assert.equal(count(two, PRESENCE), before);
  },
  'the server learns that a client goes away': async (t) => {
    const [one, two] = [await t.synced(), await t.synced()];
    two.setAwarenessField('foo', 'bar');
    await t.until(() => sees(one, 'foo', 'bar'));
    await t.move();
    assert.equal(sees(one, 'foo', 'bar'), true);
    await announce(two);
    assert.equal(sees(one, 'foo', 'bar'), true);
    if (moving) return; // seen after 30 s: docs/profiles.md says why
    two.destroy();
    await t.until(() => !sees(one, 'foo', 'bar'));
  },
  'flushDelay: updates are sent as one': async (t) => {
    const provider = await t.synced({ awareness: null, flushDelay: 100 });
    for (const key of ['a', 'b', 'c']) map(provider).set(key, 1);
    assert.deepEqual([count(provider, EDIT), provider.hasUnsyncedChanges], [0, true]);
    await t.move();
    await t.until(() => !provider.hasUnsyncedChanges);
    assert.equal(count(provider, EDIT), 1);
    const reader = await t.synced();
    assert.deepEqual([...map(reader).keys()].sort(), ['a', 'b', 'c']);
  },
  'flushDelay: without it each update is sent': async (t) => {
    const provider = await t.synced({ awareness: null });
    for (const key of ['a', 'b', 'c']) map(provider).set(key, 1);
    await t.move();
    await t.until(() => !provider.hasUnsyncedChanges);
    assert.equal(count(provider, EDIT), 3);
  },
  'onStateless: to all clients': async (t) => {
    const [one, two] = [await t.synced(), await t.synced()];
    one.sendStateless('all 1');
    await t.until(() => two.stateless.length === 1);
    await t.move();
    one.sendStateless('all 2');
    await t.until(() => one.stateless.length === 2 && two.stateless.length === 2);
    await sleep(100);
    for (const { stateless } of [one, two]) assert.deepEqual(stateless, ['all 1', 'all 2']);
  },
  'onStateless: to one client': async (t) => {
    const [one, two] = [await t.synced(), await t.synced()];
    one.sendStateless('echo 1');
    await t.move();
    one.sendStateless('echo 2');
    await t.until(() => one.stateless.length === 2);
    await sleep(100);
    assert.deepEqual([one.stateless, two.stateless], [['echo 1', 'echo 2'], []]);
  },
  'sessionAwareness: one document twice on a socket': async (t) => {
    const options = { websocketProvider: t.socket(), sessionAwareness: true };
    const [one, two] = [await t.synced(options), await t.synced(options)];
    map(one).set('a', 1);
    await t.move();
    map(two).set('b', 1);
    await t.until(() => map(two).get('a') === 1 && map(one).get('b') === 1);
  },
};

async function run(test, number) {
  const t = new Case(number);
  try {
    await test(t);
    return '';
  } catch (error) {
    return String(error.stack);
  } finally {
    t.end();
  }
}

createInterface({ input: process.stdin }).on('line', (number) => waiting.get(number)());
const found = await Promise.all(Object.values(cases).map(run));
console.log(JSON.stringify({ results: Object.fromEntries(Object.keys(cases).map((name, n) => [name, found[n]])) }));
process.exit(0);
