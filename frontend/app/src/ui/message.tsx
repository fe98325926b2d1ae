import type { Author, ConversationMessage, About } from '@isshoni/client';
import { memo } from 'react';
import { t } from '../i18n.js';
import { MessageFiles } from './message-files.js';
import { formatDay, formatMoment, formatTime } from './moments.js';
import { RichText } from './rich-text.js';

/** What the list does for its messages; always the same object. */
export interface Actions {
  openMenu: (message: ConversationMessage, opener: HTMLElement) => void;
  react: (message: ConversationMessage, emoji: string) => void;
  jumpTo: (about: About) => void;
  download: (id: string) => Promise<Blob>;
  isSelf: (author: Author) => boolean;
  nameOf: (author: Author) => string;
}

export interface MessageProps {
  message: ConversationMessage;
  own: boolean;
  /** True if it is by the same author as the message before, within five minutes. */
  continues: boolean;
  /** True for the first message of a day. */
  startsDay: boolean;
  /** True for the first message that was unread. */
  startsUnread: boolean;
  name: string;
  tint: number;
  /** The message that this one answers, if it is loaded. */
  quoted: ConversationMessage | null;
  mention: RegExp | null;
  /** This user's name with its `@`. */
  self: string;
  /** True for the one message that Tab reaches; arrow keys go to the others. */
  isTabStop: boolean;
  actions: Actions;
  /** The page's language: another one renders the message again. */
  speak: string;
}

/** One message, below the line of its day. */
export const Message = memo(function Message(props: MessageProps) {
  const { message, own, continues, startsDay, startsUnread, isTabStop, actions, speak } = props;
  const at = new Date(message.at);
  const isHeadless = continues && !startsDay && !startsUnread && message.replyTo === null;
  const className = `message${own ? ' own' : ''}${isHeadless ? ' continues' : ''}`;
  return (
    <li className={className} data-seq={message.seq} tabIndex={isTabStop ? 0 : -1} aria-keyshortcuts="Enter R E Delete">
      {startsDay && (
        <p className="divider day">
          <time dateTime={at.toISOString()}>{formatDay(at, speak)}</time>
        </p>
      )}
      {startsUnread && <p className="divider fresh">{t('newMessages')}</p>}
      <div className="said">
        {!isHeadless && (
          <div className="head">
            <span className={`who tint-${props.tint}`}>{props.name}</span>
            <time dateTime={at.toISOString()} title={formatMoment(at, speak)}>
              {formatTime(at, speak)}
            </time>
          </div>
        )}
        {message.replyTo !== null && <Quote about={message.replyTo} quoted={props.quoted} actions={actions} />}
        <Body {...props} title={isHeadless ? formatMoment(at, speak) : undefined} />
        <MessageFiles files={message.files} download={actions.download} />
        <Reactions message={message} actions={actions} />
        <button
          type="button"
          className="acts"
          tabIndex={-1}
          aria-label={t('messageActions', { name: props.name })}
          onClick={({ currentTarget }) => actions.openMenu(message, currentTarget)}
        >
          ⋯
        </button>
      </div>
    </li>
  );
});

function Body({ message, mention, self, title }: MessageProps & { title: string | undefined }) {
  if (message.deleted) return <p className="text gone">{t('deletedMessage')}</p>;
  if (message.unreadable) return <p className="text gone">{t('unreadable')}</p>;
  // A message of files alone has their names as its text, for programs that know no files.
  if (message.files.length > 0 && message.text === message.files.map(({ name }) => name).join(', ')) return null;
  return (
    <div className="text" title={title}>
      <RichText text={message.text} mention={mention} self={self} />
      {message.edited && <span className="mark">{t('edited')}</span>}
    </div>
  );
}

/** The message that another one answers: its beginning, which leads to it. */
function Quote({ about, quoted, actions }: { about: About; quoted: ConversationMessage | null; actions: Actions }) {
  return (
    <button type="button" className="quote" tabIndex={-1} onClick={() => actions.jumpTo(about)}>
      {quoted === null ? (
        t('earlierMessage')
      ) : (
        <>
          <span className="who">{actions.nameOf(quoted)}</span> {beginningOf(quoted)}
        </>
      )}
    </button>
  );
}

/** The beginning of a message, in one line. */
export function beginningOf({ text, deleted, unreadable }: ConversationMessage): string {
  if (deleted) return t('deletedMessage');
  return unreadable ? t('unreadable') : text.slice(0, 120).replace(/\s+/g, ' ');
}

function Reactions({ message, actions }: { message: ConversationMessage; actions: Actions }) {
  if (message.reactions.size === 0) return null;
  return (
    <div className="reactions">
      {[...message.reactions].map(([emoji, authors]) => {
        const names = authors.map(actions.nameOf).join(', ');
        return (
          <button
            key={emoji}
            type="button"
            tabIndex={-1}
            aria-pressed={authors.some(actions.isSelf)}
            aria-label={`${emoji} ${authors.length}: ${names}`}
            title={names}
            onClick={() => actions.react(message, emoji)}
          >
            {emoji} {authors.length}
          </button>
        );
      })}
    </div>
  );
}
