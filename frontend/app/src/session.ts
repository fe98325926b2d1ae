import { indexedStorage, IsshoniClient } from '@isshoni/client';
import { Admission } from './models/admission.js';
import { Health } from './models/health.js';
import { Conversation } from './models/conversation.js';
import { People } from './models/people.js';
import { Pictures } from './models/pictures.js';
import { place } from './place.js';
import { loadPreferences } from './preferences.js';

/** One session in this tab, for as long as the tab lives, whatever is shown of it. */
export interface Session {
  id: string;
  client: IsshoniClient;
  conversation: Conversation;
  people: People;
  pictures: Pictures;
  health: Health;
  admission: Admission;
  /** Resolves once the document holds what the server had when we first came. */
  firstSync: Promise<void>;
}

export async function openSession(id: string): Promise<Session> {
  const client = await createClient(id);
  const pictures = new Pictures(client);
  const session = {
    id,
    client,
    pictures,
    conversation: new Conversation(client),
    people: new People(client),
    health: new Health(client, pictures),
    admission: new Admission(client),
    firstSync: new Promise<void>((resolve) => client.on('synced', () => resolve())),
  };
  introduceWhenSynced(session);
  warnBeforeLoss(session.health);
  // For the browser's console, as docs/protocol.md shows it.
  Object.assign(globalThis, { isshoni: client });
  client.connect();
  return session;
}

async function createClient(sessionId: string): Promise<IsshoniClient> {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  // After the #: what stands there is sent to no server, and shared with nobody.
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  // One origin may carry more than one server, each below a path of its own.
  const store = await indexedStorage(place.root === '/' ? sessionId : place.root + sessionId);
  return new IsshoniClient(`${scheme}//${location.host}${place.root.slice(0, -1)}`, sessionId, { store, ...(token !== null && { token }) });
}

/**
 * Say our name, and goodbye when the page goes (it may come back).
 *
 * Only once we have the document: else we would write our name anew at each visit.
 */
function introduceWhenSynced({ client, people }: Session): void {
  const introduce = (): void => people.introduce(loadPreferences().name);
  client.on('synced', introduce);
  addEventListener('pagehide', () => client.awareness.setLocalState(null));
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) introduce();
  });
}

function warnBeforeLoss(health: Health): void {
  addEventListener('beforeunload', (event) => {
    if (health.unsaved.anything) event.preventDefault();
  });
}
