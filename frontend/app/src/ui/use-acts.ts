import type { ConversationMessage } from '@isshoni/client';
import { useMemo, useState, type KeyboardEvent, type RefObject } from 'react';
import { can, changesOf, isBySelf, toggleReaction } from '../models/chat-acts.js';
import type { Session } from '../session.js';
import type { Actions } from './message.js';
import type { Opened } from './message-menu.js';
import type { Scroller } from './scroller.js';

/** What the composer writes, if not a new message. */
export interface Drafting {
  kind: 'reply' | 'edit';
  message: ConversationMessage;
}

export interface Acts {
  actions: Actions;
  opened: Opened | null;
  closeMenu: () => void;
  drafting: Drafting | null;
  draft: (drafting: Drafting | null) => void;
  /** True once something was answered or edited: the composer then keeps the focus. */
  hasDrafted: boolean;
  deleting: ConversationMessage | null;
  confirmDelete: () => void;
  keep: () => void;
  menu: Record<'onReply' | 'onEdit' | 'onDelete', (message: ConversationMessage) => void> & {
    onReact: (message: ConversationMessage, emoji: string) => void;
  };
  onKey: (event: KeyboardEvent, message: ConversationMessage, item: HTMLElement) => void;
  reveal: (seq: number) => void;
}

/** What a user does with messages: by the menu, by keys, and by what the messages themselves show. */
export function useActs(session: Session, scroller: RefObject<Scroller | null>): Acts {
  const { client } = session;
  const [opened, setOpened] = useState<Opened | null>(null);
  const [drafting, setDrafting] = useState<Drafting | null>(null);
  const [hasDrafted, setHasDrafted] = useState(false);
  const draft = (next: Drafting | null): void => {
    setDrafting(next);
    if (next !== null) setHasDrafted(true);
  };
  const [deleting, setDeleting] = useState<ConversationMessage | null>(null);
  const reveal = (seq: number): void => {
    session.conversation.showFrom(seq);
    scroller.current?.reveal(seq);
  };
  const actions = useMemo(() => actionsOf(session, scroller, setOpened), [session, scroller]);
  const reply = (message: ConversationMessage): void => draft({ kind: 'reply', message });
  const edit = (message: ConversationMessage): void => draft({ kind: 'edit', message });
  const onKey = (event: KeyboardEvent, message: ConversationMessage, item: HTMLElement): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const changes = changesOf(client, message);
    const key = event.key.toLowerCase();
    if (key === 'enter' || key === 'contextmenu') setOpened({ message, opener: item });
    else if (key === 'r' && can(client, 'reply') && !message.deleted) reply(message);
    else if (key === 'e' && changes.edit) edit(message);
    else if (key === 'delete' && changes.delete) setDeleting(message);
    else return;
    event.preventDefault();
  };
  return {
    actions,
    opened,
    closeMenu: () => setOpened(null),
    drafting,
    draft,
    hasDrafted,
    deleting,
    confirmDelete: () => deleting !== null && void client.chat.delete(deleting),
    keep: () => setDeleting(null),
    menu: { onReply: reply, onEdit: edit, onDelete: setDeleting, onReact: actions.react },
    onKey,
    reveal,
  };
}

function actionsOf({ client, conversation, people }: Session, scroller: RefObject<Scroller | null>, open: (opened: Opened) => void): Actions {
  return {
    openMenu: (message, opener) => open({ message, opener }),
    react: (message, emoji) => {
      if (can(client, 'react')) toggleReaction(client, message, emoji);
    },
    jumpTo: (about) =>
      void conversation.searchFor(about).then((message) => {
        if (message === null) return;
        conversation.showFrom(message.seq);
        scroller.current?.reveal(message.seq);
      }),
    download: (id) => client.http.getFile(id),
    isSelf: (author) => isBySelf(client, author),
    nameOf: ({ name, client_id }) => name ?? people.nameOf(client_id),
  };
}
