import type { ConversationMessage, IsshoniClient } from '@isshoni/client';
import { useEffect, useRef, type FormEvent } from 'react';
import { t } from '../i18n.js';
import { can, changesOf, EMOJI, isEmoji } from '../models/chat-acts.js';
import { keepUnsent } from './composition.js';
import { focusFirst, walk } from './menu-keys.js';

/** A message whose menu is open, and the element that opened it. */
export interface Opened {
  message: ConversationMessage;
  opener: HTMLElement;
}

interface Props {
  client: IsshoniClient;
  opened: Opened | null;
  onClose: () => void;
  onReact: (message: ConversationMessage, emoji: string) => void;
  onReply: (message: ConversationMessage) => void;
  onEdit: (message: ConversationMessage) => void;
  onDelete: (message: ConversationMessage) => void;
}

/** What can be done with a message: one menu for the whole list. */
export function MessageMenu({ client, opened, onClose, onReact, onReply, onEdit, onDelete }: Props) {
  const menu = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (opened !== null) showAt(menu.current!, opened.opener);
  }, [opened]);
  const message = opened?.message ?? null;
  const act = (action: (message: ConversationMessage) => void) => (): void => {
    menu.current?.hidePopover();
    if (message !== null) action(message);
  };
  const changes = message === null ? null : changesOf(client, message);
  const isAlive = message !== null && !message.deleted && !message.unreadable;
  const item = (label: string, action: (message: ConversationMessage) => void, className?: string) => (
    <button type="button" className={className} onClick={act(action)}>
      {label}
    </button>
  );
  return (
    <div
      ref={menu}
      popover="auto"
      role="group"
      aria-label={t('actions')}
      className="menu message-menu"
      onToggle={(event) => {
        focusFirst(event);
        if ((event as { newState?: string }).newState === 'closed') onClose();
      }}
      onKeyDown={walk}
    >
      {isAlive && can(client, 'react') && <Emojis onReact={(emoji) => act((target) => onReact(target, emoji))()} />}
      {isAlive && can(client, 'reply') && item(t('reply'), onReply)}
      {isAlive && item(t('copyText'), ({ text }) => void navigator.clipboard?.writeText(text))}
      {changes?.edit && item(t('edit'), onEdit)}
      {changes?.delete && item(t('deleteMessage'), onDelete, 'grave')}
      {message !== null && !isAlive && <p className="hint">{t('noActions')}</p>}
    </div>
  );
}

function Emojis({ onReact }: { onReact: (emoji: string) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const input = event.currentTarget.elements.namedItem('emoji') as HTMLInputElement;
    const emoji = input.value.trim();
    input.setCustomValidity(isEmoji(emoji) ? '' : t('notEmoji'));
    if (input.reportValidity()) onReact(emoji);
  };
  return (
    <form className="emojis" noValidate onSubmit={submit} onKeyDown={keepUnsent}>
      {EMOJI.map((emoji) => (
        <button key={emoji} type="button" aria-label={t('react', { emoji })} onClick={() => onReact(emoji)}>
          {emoji}
        </button>
      ))}
      <input
        type="text"
        name="emoji"
        maxLength={32}
        placeholder={t('anyEmoji')}
        aria-label={t('anyEmoji')}
        autoComplete="off"
        onChange={({ target }) => target.setCustomValidity('')}
      />
    </form>
  );
}

const MARGIN_PX = 8;

/** Show the menu below its opener, or as near to that as the window allows. */
function showAt(menu: HTMLElement, opener: HTMLElement): void {
  menu.showPopover();
  const { bottom, right } = opener.getBoundingClientRect();
  const top = Math.max(MARGIN_PX, Math.min(bottom, innerHeight - menu.offsetHeight - MARGIN_PX));
  const left = Math.max(MARGIN_PX, Math.min(right, innerWidth - MARGIN_PX) - menu.offsetWidth);
  Object.assign(menu.style, { inset: 'auto', top: `${top}px`, left: `${left}px` });
}
