/**
 * A Hocuspocus server as its users run it, with its Redis extension: one of two processes.
 *
 *     REDIS_URL=… COLOUR=blue node compat/hocuspocus-server.mjs PORT
 *
 * A token that begins with `only-COLOUR` is accepted by the process of that colour alone.
 */
import { Redis } from '@hocuspocus/extension-redis';
import { Server } from '@hocuspocus/server';
import { Buffer } from 'node:buffer';
import { createClient, RESP_TYPES } from 'redis';
import * as Y from 'yjs';

const colour = process.env.COLOUR;
const { hostname, port } = new URL(process.env.REDIS_URL);
const store = createClient({ url: process.env.REDIS_URL });
store.on('error', () => {});
await store.connect();
const bytes = store.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
const name = (documentName) => `hocuspocus-document:${documentName}`;

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
  async onAuthenticate({ token }) {
    if (token.startsWith('only-') && !token.startsWith(`only-${colour}`)) throw new Error('expired');
  },
  async onLoadDocument({ documentName, document }) {
    const state = await bytes.get(name(documentName));
    if (state) Y.applyUpdate(document, new Uint8Array(state));
  },
  async onStoreDocument({ documentName, document }) {
    await bytes.set(name(documentName), Buffer.from(Y.encodeStateAsUpdate(document)));
  },
});
await server.listen();
