/**
 * Redis for the server of y-websocket: stores every update of a document in a list, and passes updates and
 * presence on to the other processes. (The list is never shortened; a real application would.)
 */
import { createClient, RESP_TYPES } from 'redis';
import * as awareness from 'y-protocols/awareness';
import * as Y from 'yjs';

const FROM_REDIS = Symbol('from Redis');
const UPDATE = 0;
const PRESENCE = 1;

const client = createClient({ url: process.env.REDIS_URL });
const subscriber = client.duplicate();
for (const one of [client, subscriber]) {
  one.on('error', console.error);
  await one.connect();
}
const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

export const persistence = {
  provider: client,

  async bindState(name, doc) {
    const channel = `y:${name}`;
    const publish = (kind, bytes) => client.publish(channel, Buffer.concat([Buffer.of(kind), bytes])).catch(console.error);
    const receive = (message) => {
      const bytes = new Uint8Array(message.subarray(1));
      if (message[0] === UPDATE) Y.applyUpdate(doc, bytes, FROM_REDIS);
      else awareness.applyAwarenessUpdate(doc.awareness, bytes, FROM_REDIS);
    };
    doc.on('update', (update, origin) => {
      if (origin === FROM_REDIS) return;
      client.rPush(channel, Buffer.from(update)).catch(console.error);
      publish(UPDATE, update);
    });
    doc.awareness.on('update', ({ added, updated, removed }, origin) => {
      if (origin === FROM_REDIS) return;
      publish(PRESENCE, awareness.encodeAwarenessUpdate(doc.awareness, [...added, ...updated, ...removed]));
    });
    doc.on('destroy', () => subscriber.unsubscribe(channel, receive, true).catch(console.error));
    // Subscribed first: an update that comes while the list is read is not missed.
    await subscriber.subscribe(channel, receive, true);
    for (const update of await binary.lRange(channel, 0, -1)) Y.applyUpdate(doc, update, FROM_REDIS);
  },

  async writeState() {}, // every update is stored already
};
