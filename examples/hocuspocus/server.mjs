/**
 * Hocuspocus as its documentation starts it ("Getting started"), with two of its extensions:
 *
 *     node server.mjs PORT
 *
 * Added: the Redis extension, which connects several processes, and the Database extension, which stores
 * the documents, here in Redis too.
 */
import { Database } from '@hocuspocus/extension-database';
import { Redis } from '@hocuspocus/extension-redis';
import { Server } from '@hocuspocus/server';
import IORedis from 'ioredis';

const redis = () => new IORedis(process.env.REDIS_URL);
const store = redis();

const server = new Server({
  port: Number(process.argv[2]),
  address: '127.0.0.1',
  quiet: true,
  extensions: [
    new Redis({ createClient: redis }),
    new Database({
      fetch: ({ documentName }) => store.getBuffer(`document:${documentName}`),
      store: ({ documentName, state }) => store.set(`document:${documentName}`, Buffer.from(state)),
    }),
  ],
});

await server.listen();
