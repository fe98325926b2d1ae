import { indexedStorage, IsshoniClient } from '@isshoni/client';
import { Admission } from './models/admission.js';
import { ArrivingImages } from './models/arriving-images.js';
import { Following } from './models/following.js';
import { Health } from './models/health.js';
import { Conversation } from './models/conversation.js';
import { ErasedElements } from './models/erased-elements.js';
import { makeRoomWhenFull } from './models/full-canvas.js';
import { People } from './models/people.js';
import { KeptPictures } from './models/kept-pictures.js';
import { Notices } from './models/notices.js';
import { Pictures } from './models/pictures.js';
import { ReadMarks } from './models/read-marks.js';
import { Typing } from './models/typing.js';
import { Unread } from './models/unread.js';
import { Uploads } from './models/uploads.js';
import { place } from './place.js';
import { loadPreferences } from './preferences.js';

/** The session of this tab: its client, and the models that the views show. */
export interface Session {
  id: string;
  client: IsshoniClient;
  conversation: Conversation;
  unread: Unread;
  typing: Typing;
  notices: Notices;
  /** The files of the message that is being written. */
  uploads: Uploads;
  people: People;
  following: Following;
  pictures: Pictures;
  keptPictures: KeptPictures;
  /** Images that were pasted, and that the canvas has not read yet. */
  arriving: ArrivingImages;
  health: Health;
  admission: Admission;
  /** Resolves after the first sync: the document then has all that the server had. */
  firstSync: Promise<void>;
}

export async function openSession(id: string): Promise<Session> {
  const client = await createClient(id);
  const pictures = new Pictures(client);
  const people = new People(client);
  const keptPictures = new KeptPictures(spaceOf(id));
  const session = {
    id,
    client,
    pictures,
    keptPictures,
    arriving: new ArrivingImages(spaceOf(id), keptPictures.tab),
    conversation: new Conversation(client),
    people,
    unread: new Unread(client, new ReadMarks(spaceOf(id))),
    typing: new Typing(client),
    notices: new Notices(client, people),
    uploads: new Uploads(client.http),
    following: new Following(client),
    health: new Health(client, pictures),
    admission: new Admission(client),
    firstSync: new Promise<void>((resolve) => client.on('synced', () => resolve())),
  };
  session.unread.missed = (message) => session.notices.show(message);
  introduceWhenSynced(session);
  makeRoomWhenFull(client);
  new ErasedElements(client).start();
  warnBeforeLoss(session);
  // For use in the browser's console, see docs/protocol.md.
  Object.assign(globalThis, { isshoni: client });
  client.connect();
  return session;
}

/** Return a session's name in this browser: one origin may have several servers, each below a path of its own. */
const spaceOf = (sessionId: string): string => (place.root === '/' ? sessionId : place.root + sessionId);

async function createClient(sessionId: string): Promise<IsshoniClient> {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  // After the #: browsers do not send that part to a server, and Share leaves it out.
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  const store = await indexedStorage(spaceOf(sessionId));
  return new IsshoniClient(`${scheme}//${location.host}${place.root.slice(0, -1)}`, sessionId, { store, ...(token !== null && { token }) });
}

/**
 * Publish the user's name after each sync, and remove the user when the page is hidden or closed.
 *
 * Not before the sync: without the document the name would be written again at each visit.
 */
function introduceWhenSynced({ client, people }: Session): void {
  const introduce = (): void => people.introduce(loadPreferences().name);
  client.on('synced', introduce);
  document.addEventListener('visibilitychange', () => people.showAway(document.hidden));
  addEventListener('pagehide', () => client.awareness.setLocalState(null));
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) introduce();
  });
}

function warnBeforeLoss({ health, uploads }: Session): void {
  addEventListener('beforeunload', (event) => {
    if (health.unsaved.anything || uploads.files.length > 0) event.preventDefault();
  });
}
