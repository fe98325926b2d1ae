/**
 * Yjs authors who cut characters in two: what the tests of faithful answers feed a server with.
 *
 *     node compat/surrogates.mjs make FIRST_SEED COUNT    prints a case a line: the updates as they
 *         were sent, in base64, and what a document shows that took them all
 *     node compat/surrogates.mjs read                     reads lists of updates, a line each, and
 *         prints what a new document shows that takes them
 */
import { createInterface } from 'node:readline';
import * as Y from 'yjs';

const [mode, first, count] = process.argv.slice(2);

function makeCase(seed) {
  const random = randomFrom(seed);
  const sent = [];
  const authors = [0, 1, 2].map((n) => {
    const doc = new Y.Doc();
    doc.clientID = seed * 10 + n + 1;
    doc.on('update', (update, origin) => origin !== 'remote' && sent.push({ n, update }));
    return doc;
  });
  const taken = authors.map(() => 0);
  const catchUp = (n) => {
    for (const one of sent.slice(taken[n])) if (one.n !== n) Y.applyUpdate(authors[n], one.update, 'remote');
    taken[n] = sent.length;
  };
  for (let step = 0; step < 30; step += 1) {
    const n = random(3);
    if (random(3) > 0) catchUp(n);
    edit(authors[n], random);
  }
  const whole = new Y.Doc();
  for (const { update } of sent) Y.applyUpdate(whole, update);
  return { updates: sent.map(({ update }) => toBase64(update)), shows: show(whole) };
}

function edit(doc, random) {
  const element = doc.getMap('elements');
  const text = random(2) === 0 ? doc.getText('text') : element.get('note');
  doc.transact(() => {
    const kind = random(8);
    if (!(text instanceof Y.Text)) element.set('note', new Y.Text('👩‍👩‍👧 and 😀'));
    else if (text.length === 0 || kind < 2) text.insert(random(text.length + 1), ['😀', 'a😀b', '한😀😀', 'plain'][random(4)]);
    else if (kind < 5) text.insert(random(text.length + 1), 'x'); // perhaps between two halves
    else if (kind < 7) text.delete(random(text.length), 1); // perhaps one half
    else text.format(random(text.length), 1, { bold: true });
    if (random(3) === 0) element.set(`k${random(3)}`, { n: random(9) });
  });
}

function show(doc) {
  const text = doc.getText('text');
  const elements = doc.getMap('elements');
  return {
    text: text.toJSON(),
    elements: elements.toJSON(),
    clocks: Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(doc))),
    waits: doc.store.pendingStructs !== null || doc.store.pendingDs !== null,
  };
}

function read(updates) {
  const doc = new Y.Doc();
  doc.getText('text');
  doc.getMap('elements');
  try {
    for (const update of updates) Y.applyUpdate(doc, Buffer.from(update, 'base64'));
    return show(doc);
  } catch (fault) {
    return { fault: String(fault) };
  }
}

const toBase64 = (bytes) => Buffer.from(bytes).toString('base64');

/** A generator of numbers that is the same for a seed (mulberry32). */
function randomFrom(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

if (mode === 'make') {
  for (let at = 0; at < Number(count); at += 1) console.log(JSON.stringify(makeCase(Number(first) + at)));
} else {
  for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(read(JSON.parse(line))));
}
