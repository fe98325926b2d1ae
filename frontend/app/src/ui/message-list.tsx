import type { ConversationMessage } from '@isshoni/client';
import { memo, useCallback, useState, type FocusEvent, type KeyboardEvent } from 'react';
import { t } from '../i18n.js';
import type { Conversation, OwnMessage } from '../models/conversation.js';
import { useLongPress } from './long-press.js';
import { Message, type Actions } from './message.js';
import { dayOf } from './moments.js';

const PAUSE_MS = 5 * 60_000;

/** Messages whose seqs are within one such range are one group. */
const GROUP_SEQS = 50;

interface Shared {
  /** Returns an author's name and the number of their colour. */
  authorOf: (message: ConversationMessage) => { name: string; tint: number };
  firstUnread: number | null;
  mention: RegExp | null;
  self: string;
  actions: Actions;
  speak: string;
}

interface Props extends Shared {
  conversation: Conversation;
  /** Handle a key pressed on a message. */
  onKey: (event: KeyboardEvent, message: ConversationMessage, item: HTMLElement) => void;
}

interface GroupProps extends Shared {
  messages: readonly ConversationMessage[];
  /** The message before the first one. */
  previous: ConversationMessage | undefined;
  /** For each message, the one that it answers. */
  quoted: readonly (ConversationMessage | null)[];
  /** The message that Tab reaches, if it is in this group. */
  stop: number | null;
}

/** The messages of the log. They are announced as they come, except older ones that are loaded. */
export function MessageList({ conversation, firstUnread, onKey, ...shared }: Props) {
  const { shown, isLoading } = conversation;
  const [focused, setFocused] = useState<number | null>(null);
  const stop = shown.some(({ seq }) => seq === focused) ? focused : (shown.at(-1)?.seq ?? null);
  const onFocus = (event: FocusEvent): void => setFocused(seqOf(event.target) ?? focused);
  const onKeyDown = (event: KeyboardEvent<HTMLElement>): void => {
    const item = event.target as HTMLElement;
    const message = item.matches('[data-seq]') ? shown.find(({ seq }) => seq === seqOf(item)) : undefined;
    if (message === undefined) return;
    const next = { ArrowUp: item.previousElementSibling, ArrowDown: item.nextElementSibling }[event.key];
    if (next === undefined) return onKey(event, message, item);
    event.preventDefault();
    (next as HTMLElement | null)?.focus();
  };
  const { openMenu } = shared.actions;
  const onPress = useCallback(
    (target: Element): void => {
      const message = conversation.shown.find(({ seq }) => seq === seqOf(target));
      if (message !== undefined) openMenu(message, target.closest<HTMLElement>('.said') ?? (target as HTMLElement));
    },
    [conversation, openMenu],
  );
  const press = useLongPress(onPress);
  return (
    <div role="log" aria-label={t('chat')} aria-busy={isLoading}>
      <ol className="log" onFocus={onFocus} onKeyDown={onKeyDown} {...press}>
        {groupsOf(shown).map(({ key, messages, previous }) => (
          <Group
            key={key}
            messages={messages}
            previous={previous}
            quoted={messages.map(({ replyTo }) => (replyTo === null ? null : conversation.find(replyTo)))}
            stop={seqIn(messages, stop)}
            firstUnread={seqIn(messages, firstUnread)}
            {...shared}
          />
        ))}
      </ol>
    </div>
  );
}

/** Some messages: when one comes, groups that have not changed are not looked into. */
const Group = memo(function Group({ messages, previous, quoted, stop, firstUnread, authorOf, ...shared }: GroupProps) {
  return messages.map((message, at) => {
    const before = at === 0 ? previous : messages[at - 1];
    return (
      <Message
        key={message.seq}
        message={message}
        own={shared.actions.isSelf(message)}
        continues={continues(before, message)}
        startsDay={before === undefined || dayOf(before.at) !== dayOf(message.at)}
        startsUnread={message.seq === firstUnread}
        quoted={quoted[at]!}
        isTabStop={message.seq === stop}
        {...authorOf(message)}
        {...shared}
      />
    );
  });
}, isSameGroup);

function isSameGroup({ messages, quoted, ...one }: GroupProps, { messages: messages2, quoted: quoted2, ...other }: GroupProps): boolean {
  if (messages.length !== messages2.length) return false;
  if (!messages.every((message, at) => message === messages2[at] && quoted[at] === quoted2[at])) return false;
  return (Object.keys(one) as (keyof typeof one)[]).every((name) => one[name] === other[name]);
}

interface GroupOf {
  key: number;
  messages: ConversationMessage[];
  previous: ConversationMessage | undefined;
}

function groupsOf(shown: readonly ConversationMessage[]): GroupOf[] {
  const groups: GroupOf[] = [];
  let previous: ConversationMessage | undefined;
  for (const message of shown) {
    const key = Math.floor(message.seq / GROUP_SEQS);
    const last = groups.at(-1);
    if (last?.key === key) last.messages.push(message);
    else groups.push({ key, messages: [message], previous });
    previous = message;
  }
  return groups;
}

/** Return a seq if it lies among messages; null otherwise. */
function seqIn(messages: readonly ConversationMessage[], seq: number | null): number | null {
  return seq !== null && messages[0]!.seq <= seq && seq <= messages.at(-1)!.seq ? seq : null;
}

/** Own messages that are not in the log yet. */
export function WaitingList({ messages }: { messages: readonly OwnMessage[] }) {
  return (
    <ol className="log waiting" hidden={messages.length === 0}>
      {messages.map(({ n, text, saved }) => (
        <li key={n} className={`message own${saved ? '' : ' unsaved'}`}>
          <p className="text">{text}</p>
          {!saved && <span className="mark">{t('notSaved')}</span>}
        </li>
      ))}
    </ol>
  );
}

function seqOf(element: Element): number | null {
  const seq = element.closest<HTMLElement>('[data-seq]')?.dataset.seq;
  return seq === undefined ? null : Number(seq);
}

function continues(previous: ConversationMessage | undefined, message: ConversationMessage): boolean {
  return previous?.client_id === message.client_id && message.at - previous.at < PAUSE_MS;
}
