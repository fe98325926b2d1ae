import type { ConversationMessage } from '@isshoni/client';
import { useMemo, useRef, type DragEvent } from 'react';
import { language, t } from '../i18n.js';
import { can } from '../models/chat-acts.js';
import { mentionOf } from '../models/mentions.js';
import type { People } from '../models/people.js';
import { useChanges } from '../observable.js';
import type { Session } from '../session.js';
import { ChatHeader } from './chat-header.js';
import { Composer } from './composer.js';
import { ConfirmDialog } from './dialogs.js';
import { foldersIn } from './folders.js';
import { MessageList, WaitingList } from './message-list.js';
import { MessageMenu } from './message-menu.js';
import { Scroller } from './scroller.js';
import { TypingLine } from './typing-line.js';
import { useActs } from './use-acts.js';
import { useUnread } from './use-unread.js';

/** The chat: the log, unsaved messages, errors and the input. */
export function Chat({ session, tab }: { session: Session; tab: string }) {
  const { client, conversation, health, people, unread } = session;
  useChanges(conversation);
  useChanges(health);
  useChanges(people);
  useChanges(unread);
  const scroller = useRef<Scroller>(null);
  const { look, toNewest } = useUnread(session, scroller, tab);
  const acts = useActs(session, scroller);
  const authors = useAuthors(people);
  return (
    <section className="chat" aria-label={t('chat')} onDragOver={acceptFiles} onDrop={(event) => dropFiles(event, session)}>
      <ChatHeader session={session} onReveal={acts.reveal} />
      <Scroller ref={scroller} onNearTop={() => void conversation.loadOlder()} onMoved={look}>
        {conversation.shown.length + conversation.waiting.length === 0 && <p className="empty">{t('chatEmpty')}</p>}
        <MessageList
          conversation={conversation}
          firstUnread={unread.first}
          {...authors}
          self={`@${people.nameOf(client.clientId)}`}
          actions={acts.actions}
          onKey={acts.onKey}
          speak={language()}
        />
        <WaitingList messages={conversation.waiting} />
      </Scroller>
      {unread.count > 0 && (
        <button type="button" className="to-newest" onClick={toNewest}>
          {t('unreadBelow', { count: unread.count })}
        </button>
      )}
      <Faults session={session} />
      <TypingLine session={session} />
      {health.readsOnly ? (
        <p className="reads-only">{t('readsOnly')}</p>
      ) : (
        <Composer
          key={acts.drafting?.kind === 'edit' ? `edit ${acts.drafting.message.seq}` : 'new'}
          session={session}
          drafting={acts.drafting}
          onDraft={acts.draft}
          focus={acts.hasDrafted}
          onSent={() => scroller.current?.toEnd()}
        />
      )}
      <MessageMenu client={client} opened={acts.opened} onClose={acts.closeMenu} {...acts.menu} />
      {acts.deleting !== null && <DeleteDialog onConfirm={acts.confirmDelete} onClose={acts.keep} />}
    </section>
  );
}

function DeleteDialog({ onConfirm, onClose }: { onConfirm: () => void; onClose: () => void }) {
  return (
    <ConfirmDialog
      title={t('deleteMessageTitle')}
      hint={t('deleteMessageHint')}
      action={t('deleteForAll')}
      onConfirm={onConfirm}
      onClose={onClose}
    />
  );
}

function Faults({ session: { conversation } }: { session: Session }) {
  return (
    <div role="alert">
      {conversation.refusal !== null && <p className="notice">{t('refused', { reason: conversation.refusal })}</p>}
      {conversation.doubtful.map((text, at) => (
        <p className="notice" key={at}>
          {t('doubtful', { text })}
        </p>
      ))}
    </div>
  );
}

/** Keep the browser from leaving the page for a file that is dropped. */
function acceptFiles(event: DragEvent): void {
  if (event.dataTransfer.types.includes('Files')) event.preventDefault();
}

function dropFiles(event: DragEvent, { client, uploads }: Session): void {
  acceptFiles(event);
  if (can(client, 'files')) uploads.add([...event.dataTransfer.files], foldersIn(event.dataTransfer));
}

interface Authors {
  /** Returns an author's name and the number of their colour. */
  authorOf: (message: ConversationMessage) => { name: string; tint: number };
  mention: RegExp | null;
}

/** What messages show of users: other objects only when a name or a colour changes. */
function useAuthors(people: People): Authors {
  const known = people.known();
  return useMemo(() => {
    const users = new Map((JSON.parse(known) as [string, string, number][]).map(([id, name, tint]) => [id, { name, tint }]));
    return {
      mention: mentionOf([...users.values()].map(({ name }) => name)),
      authorOf: ({ client_id: id, name }) => {
        const user = users.get(id) ?? { name: people.nameOf(id), tint: people.tintOf(id) };
        return name === undefined ? user : { ...user, name };
      },
    };
  }, [people, known]);
}
