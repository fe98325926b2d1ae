import type { ChatEvent } from '@isshoni/client';
import { memo } from 'react';
import { language, t } from '../i18n.js';
import type { OwnMessage } from '../models/conversation.js';
import { useChanges } from '../observable.js';
import type { Session } from '../session.js';
import { Composer } from './composer.js';
import { useScroll } from './scroll.js';

const PAUSE_MS = 5 * 60_000;

/** The chat: the log, unsaved messages, errors and the input. */
export function Chat({ session: { client, conversation, health, people } }: { session: Session }) {
  useChanges(conversation);
  useChanges(health);
  useChanges(people);
  const { messages, waiting, refusal, doubtful } = conversation;
  const { list, onScroll, toBottom } = useScroll(messages[0]?.seq, () => void conversation.loadOlder());
  return (
    <section className="chat" aria-label={t('chat')}>
      <div className="scroll" ref={list} onScroll={onScroll}>
        {messages.length + waiting.length === 0 && <p className="empty">{t('chatEmpty')}</p>}
        <div role="log" aria-label={t('chat')}>
          <ol className="log" tabIndex={0}>
            {messages.map((message, at) => (
              <Message
                key={message.seq}
                message={message}
                own={message.client_id === client.clientId}
                continues={continues(messages[at - 1], message)}
                name={message.name ?? people.nameOf(message.client_id)}
                tint={people.tintOf(message.client_id)}
                speak={language()}
              />
            ))}
          </ol>
        </div>
        <ol className="log waiting" hidden={waiting.length === 0}>
          {waiting.map((message) => (
            <Waiting key={message.n} {...message} />
          ))}
        </ol>
      </div>
      <div role="alert">
        {refusal !== null && <p className="notice">{t('refused', { reason: refusal })}</p>}
        {doubtful.map((text, at) => (
          <p className="notice" key={at}>
            {t('doubtful', { text })}
          </p>
        ))}
      </div>
      {health.readsOnly ? <p className="reads-only">{t('readsOnly')}</p> : <Composer client={client} onSent={toBottom} />}
    </section>
  );
}

interface MessageProps {
  message: ChatEvent;
  own: boolean;
  /** True if it is by the same author as the message before, within five minutes. */
  continues: boolean;
  name: string;
  tint: number;
  speak: string;
}

const Message = memo(function Message({ message, own, continues, name, tint, speak }: MessageProps) {
  const at = new Date(message.at);
  return (
    <li className={`message${own ? ' own' : ''}${continues ? ' continues' : ''}`}>
      {!continues && (
        <div className="head">
          <span className={`who tint-${tint}`}>{name}</span>
          <time dateTime={at.toISOString()}>{formatTime(at, speak)}</time>
        </div>
      )}
      <p className="text">{message.unreadable ? t('unreadable') : message.text}</p>
    </li>
  );
});

function Waiting({ text, saved }: OwnMessage) {
  return (
    <li className={`message own${saved ? '' : ' unsaved'}`}>
      <p className="text">{text}</p>
      {!saved && <span className="mark">{t('notSaved')}</span>}
    </li>
  );
}

function continues(previous: ChatEvent | undefined, message: ChatEvent): boolean {
  return previous?.client_id === message.client_id && message.at - previous.at < PAUSE_MS;
}

const formatTime = (at: Date, speak: string): string =>
  new Intl.DateTimeFormat(speak, { hour: 'numeric', minute: '2-digit' }).format(at);
