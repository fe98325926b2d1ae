/**
 * A Hocuspocus server as its users run it, with its Redis extension: one of two processes.
 *
 *     REDIS_URL=… COLOUR=blue node compat/hocuspocus-server.mjs PORT
 *
 * A token that begins with `only-COLOUR` is accepted by the process of that colour alone, `readonly` may only
 * read, and documents with `secret` in their name want the token SUPER-SECRET-TOKEN. What the cases of
 * hocuspocus-cases.mjs need goes by names too: `slow` loads late, `filled` begins with content, and a stateless
 * message is sent back to its author (`echo…`) or to all clients (`all…`).
 */
import { Redis } from '@hocuspocus/extension-redis';
import { Server } from '@hocuspocus/server';
import { Buffer } from 'node:buffer';
import { setTimeout } from 'node:timers';
import { createClient, RESP_TYPES } from 'redis';
import * as Y from 'yjs';

const colour = process.env.COLOUR;
const { hostname, port } = new URL(process.env.REDIS_URL);
const store = createClient({ url: process.env.REDIS_URL });
store.on('error', () => {});
await store.connect();
const bytes = store.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
const name = (documentName) => `hocuspocus-document:${documentName}`;

const template = new Y.Doc();
template.clientID = 1; // the same content in both processes
template.getMap('test').set('foo', 'bar');
const filled = Y.encodeStateAsUpdate(template);

const server = new Server({
  port: Number(process.argv[2]),
  address: '127.0.0.1',
  quiet: true,
  stopOnSignals: false,
  debounce: 200,
  extensions: [new Redis({ host: hostname, port: Number(port), prefix: 'hocuspocus-test' })],
  async onRequest({ response }) {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(colour));
    throw null; // answered
  },
  async onAuthenticate({ token, documentName, connectionConfig }) {
    if (documentName.includes('secret') && token !== 'SUPER-SECRET-TOKEN') throw new Error('wrong token');
    connectionConfig.readOnly = token === 'readonly';
    if (token.startsWith('only-') && !token.startsWith(`only-${colour}`)) throw new Error('expired');
  },
  async onStateless({ payload, connection, document }) {
    if (payload.startsWith('echo')) connection.sendStateless(payload);
    if (payload.startsWith('all')) document.broadcastStateless(payload);
  },
  async onLoadDocument({ documentName, document }) {
    if (documentName.includes('slow')) await new Promise((done) => setTimeout(done, 150));
    if (documentName.includes('filled')) Y.applyUpdate(document, filled);
    const state = await bytes.get(name(documentName));
    if (state) Y.applyUpdate(document, new Uint8Array(state));
  },
  async onStoreDocument({ documentName, document }) {
    await bytes.set(name(documentName), Buffer.from(Y.encodeStateAsUpdate(document)));
  },
});
await server.listen();
