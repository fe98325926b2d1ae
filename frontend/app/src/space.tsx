import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { lazy, Suspense, useState, type ReactNode } from 'react';
import { t } from './i18n.js';
import type { Health } from './models/health.js';
import { useChanges } from './observable.js';
import { loadPreferences, savePreference } from './preferences.js';
import type { Session } from './session.js';
import { Chat } from './ui/chat.js';
import { Farewell } from './ui/farewell.js';
import { NameDialog } from './ui/dialogs.js';
import { Fence } from './ui/fence.js';
import { HealthBadge } from './ui/health-badge.js';
import { PeopleList } from './ui/people-list.js';
import { Seal } from './ui/seal.js';
import { SessionMenu } from './ui/session-menu.js';
import { ShareButton } from './ui/share-button.js';
import { Tabs, type Tab } from './ui/tabs.js';
import { useTitle } from './ui/use-unread.js';

export const loadCanvas = () => import('./canvas/canvas.js');

// Show the chat at once: the canvas takes longer to load.
const Canvas = lazy(loadCanvas);

/** The session's page: header, canvas, and the chat beside it. */
export function Space({ session, switches }: { session: Session; switches: ReactNode }) {
  const [editor, setEditor] = useState<ExcalidrawImperativeAPI | null>(null);
  const name = useName(session);
  const [fault, setFault] = useState('');
  const [tab, setTab] = useState<Tab>('canvas');
  useTitle(session);
  return (
    <div className="space" data-tab={tab}>
      <header>
        <Seal />
        <h1 className="session">{session.id}</h1>
        <HealthBadge health={session.health} />
        <PeopleList people={session.people} following={session.following} onRename={name.isGiven ? null : name.ask} />
        <ShareButton />
        {switches}
        <SessionMenu client={session.client} editor={editor} health={session.health} onFault={setFault} />
      </header>
      <main>
        <div className="desk">
          <Fence>
            <Suspense fallback={<p className="loading">{t('loading')}</p>}>
              <Canvas session={session} onReady={setEditor} onFault={setFault} />
            </Suspense>
          </Fence>
          <Faults session={session} />
        </div>
        <Chat session={session} tab={tab} />
      </main>
      <Tabs session={session} tab={tab} onTab={setTab} />
      {fault !== '' && <Toast text={fault} onClose={() => setFault('')} />}
      {name.isAsked && <NameDialog current={loadPreferences().name} onName={rename(session)} onClose={name.close} />}
      <Farewell health={session.health} />
    </div>
  );
}

/**
 * Ask for the user's name, on the first visit or when the user wants to change it.
 *
 * Not before the server has let the user in: a refusal would be hidden behind the question.
 * A name in the token (`isGiven`) is never asked for.
 */
function useName({ health, client }: Session): { isGiven: boolean; isAsked: boolean; ask: () => void; close: () => void } {
  useChanges(health);
  const [wanted, setWanted] = useState(loadPreferences().name === '');
  const isGiven = typeof client.permit?.name === 'string';
  const isIn = health.server !== null && health.status !== 'refused';
  return { isGiven, isAsked: wanted && isIn && !isGiven, ask: () => setWanted(true), close: () => setWanted(false) };
}

const rename =
  ({ people }: Session) =>
  (name: string): void => {
    savePreference({ name });
    people.introduce(name);
  };

const PICTURE_FAULTS = { tooLarge: 'pictureTooLarge', refused: 'pictureRefused', expired: 'pictureExpired', notKept: 'pictureNotKept' } as const;

function Faults({ session: { pictures, health, admission } }: { session: Session }) {
  useChanges(pictures);
  useChanges(admission);
  useChanges(health);
  if (pictures.fault !== null) {
    const text = t(PICTURE_FAULTS[pictures.fault]);
    return <Toast text={text} onClose={() => pictures.dismissFault()} />;
  }
  if (admission.fault !== null) return <Notice text={t('notAdmitted', { reason: admission.fault.message })} />;
  if (health.canvasRefusal === null || health.readsOnly) return null;
  return <Toast text={describeRefusal(health.canvasRefusal)} onClose={() => health.dismissRefusal()} />;
}

function describeRefusal({ code, reason, bytes = 0, most_bytes = 0 }: NonNullable<Health['canvasRefusal']>): string {
  if (code !== 'too_large') return t('canvasFull', { reason });
  return t('canvasTooLarge', { size: megabytes(bytes), most: megabytes(most_bytes) });
}

const megabytes = (bytes: number): string => (bytes / (1 << 20)).toFixed(1);

/** An error that is shown until its cause is gone. */
function Notice({ text }: { text: string }) {
  return (
    <p className="toast" role="alert">
      {text}
    </p>
  );
}

function Toast({ text, onClose }: { text: string; onClose: () => void }) {
  return (
    <p className="toast" role="alert">
      {text}
      <button type="button" className="quiet" onClick={onClose}>
        {t('close')}
      </button>
    </p>
  );
}
