import { IsshoniClient, webStorage } from '@isshoni/client';
import { h } from '@isshoni/paper';
import { Conversation } from './models/conversation.js';
import { Drawing } from './models/drawing.js';
import { People } from './models/people.js';
import { COLOURS, WIDTHS } from './models/stroke.js';
import { loadPreferences, savePreference } from './preferences.js';
import { claimClientId } from './tab-identity.js';
import { chatView } from './views/chat.js';
import { seal, switches } from './views/chrome.js';
import { askName } from './views/dialogs.js';
import { healthBadge } from './views/health.js';
import { attachPen } from './views/pen.js';
import { peopleView } from './views/people.js';
import { shareButton } from './views/share.js';
import { Sheet } from './views/sheet.js';
import { listenForUndo, toolbar, type Tools } from './views/toolbar.js';
import { disposeAll } from './views/view.js';

interface Space {
  client: IsshoniClient;
  conversation: Conversation;
  drawing: Drawing;
  people: People;
  tools: Tools;
}

/** Enter a session: one client for as long as the tab lives, whatever is shown of it. */
export async function enterSpace(root: HTMLElement, sessionId: string): Promise<void> {
  const client = await createClient(sessionId);
  const space = {
    client,
    conversation: new Conversation(client),
    drawing: new Drawing(client),
    people: new People(client),
    tools: { kind: 'pen', colour: COLOURS[0], width: WIDTHS.medium } satisfies Tools,
  };
  warnBeforeLoss(client);
  introduceWhenSynced(space);
  mount(root, space);
  client.connect();
  if (loadPreferences().name === '') rename(space);
}

async function createClient(sessionId: string): Promise<IsshoniClient> {
  const key = `isshoni:${sessionId}`;
  const store = webStorage(sessionStorage, key);
  const stored = store.load();
  if (stored !== null && !(await claimClientId(stored.outbox.client_id))) sessionStorage.removeItem(key);
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const client = new IsshoniClient(`${scheme}//${location.host}`, sessionId, { store });
  // A new client_id answers for itself from now on, should this tab be duplicated.
  if (client.clientId !== stored?.outbox.client_id) void claimClientId(client.clientId);
  return client;
}

function mount(root: HTMLElement, space: Space): void {
  const { client, conversation, drawing, people, tools } = space;
  document.title = `${client.sessionId} · isshoni`;
  const sheet = new Sheet(drawing, people);
  attachPen(sheet, drawing, people, tools);
  const health = healthBadge(client);
  const present = peopleView(people, () => rename(space));
  const chat = chatView(client, conversation, people);
  const dispose = disposeAll([
    listenForUndo(drawing),
    () => [sheet, health, present, chat].forEach((view) => view.dispose()),
  ]);
  const remount = (): void => {
    dispose();
    mount(root, space);
  };
  root.replaceChildren(
    h(
      'div',
      { class: 'space' },
      h(
        'header',
        {},
        seal(),
        h('h1', { class: 'session' }, client.sessionId),
        health.element,
        present.element,
        shareButton(),
        switches(remount),
      ),
      h('main', { class: 'desk' }, h('div', { class: 'board' }, sheet.element), toolbar(tools, drawing)),
      chat.element,
    ),
  );
}

function rename({ people }: Space): void {
  askName(loadPreferences().name, (name) => {
    savePreference({ name });
    people.introduce(name);
  });
}

/**
 * Say our name, and goodbye when the page goes (it may come back).
 *
 * Only once we have the document: else we would write our name anew at each visit.
 */
function introduceWhenSynced({ client, people }: Space): void {
  const introduce = (): void => people.introduce(loadPreferences().name);
  client.on('synced', introduce);
  addEventListener('pagehide', () => client.awareness.setLocalState(null));
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) introduce();
  });
}

function warnBeforeLoss(client: IsshoniClient): void {
  addEventListener('beforeunload', (event) => {
    if (client.unsaved.messages > 0 || client.unsaved.canvas) event.preventDefault();
  });
}

