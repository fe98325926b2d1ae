import { MAX_TEXT_CHARACTERS, type ConversationMessage } from '@isshoni/client';
import { useEffect, useRef, useState, type ClipboardEvent, type FormEvent, type KeyboardEvent, type RefObject } from 'react';
import { t } from '../i18n.js';
import { can, changesOf } from '../models/chat-acts.js';
import { place } from '../place.js';
import type { Session } from '../session.js';
import { AttachButton, Attachments } from './attachments.js';
import { isOfComposition } from './composition.js';
import { foldersIn } from './folders.js';
import { Icon, SEND } from './icon.js';
import { MentionList, useMentions, type Mentions } from './mention-list.js';
import { beginningOf } from './message.js';
import type { Drafting } from './use-acts.js';

interface Props {
  session: Session;
  /** The message that is answered or edited; null for a new one. */
  drafting: Drafting | null;
  onDraft: (drafting: Drafting | null) => void;
  /** Focus the input at once. */
  focus: boolean;
  onSent: () => void;
}

/** The message input; the draft of a new message survives a reload. */
export function Composer(props: Props) {
  const { session, drafting, onDraft } = props;
  const input = useRef<HTMLTextAreaElement>(null);
  const { text, change, mentions, submit, onKeyDown } = useComposing(props, input);
  const hasFiles = can(session.client, 'files') && drafting?.kind !== 'edit';
  return (
    <form className="composer" onSubmit={submit}>
      <MentionList mentions={mentions} />
      {drafting !== null && <Subject drafting={drafting} onCancel={() => onDraft(null)} />}
      {hasFiles && <Attachments uploads={session.uploads} />}
      <div className="line">
        {hasFiles && <AttachButton uploads={session.uploads} />}
        <textarea
          ref={input}
          rows={1}
          value={text}
          maxLength={MAX_TEXT_CHARACTERS}
          placeholder={t('messageHint')}
          aria-label={drafting === null ? t('message') : t(drafting.kind === 'edit' ? 'editing' : 'reply')}
          enterKeyHint="send"
          {...mentions.attributes}
          onChange={({ target }) => change(target.value)}
          onSelect={mentions.look}
          onBlur={mentions.close}
          onKeyDown={onKeyDown}
          onPaste={(event) => hasFiles && pasteFiles(event, session)}
        />
        <button type="submit" className="seal-button" title={t('send')} aria-label={t('send')}>
          <Icon path={SEND} />
        </button>
      </div>
    </form>
  );
}

interface Composing {
  text: string;
  change: (text: string) => void;
  mentions: Mentions;
  submit: (event: FormEvent) => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

function useComposing({ session, drafting, onDraft, focus, onSent }: Props, input: RefObject<HTMLTextAreaElement | null>): Composing {
  const { client, people, typing, uploads } = session;
  const [text, write] = useDraft(client.sessionId, input, drafting?.kind === 'edit' ? drafting.message : null);
  const mentions = useMentions(input, () => people.othersNames(), write);
  useEffect(() => () => typing.ended(), [typing]);
  // A message that waits for its files is what was written then: any change takes it back.
  useEffect(() => () => uploads.forget(), [uploads, drafting]);
  useEffect(() => {
    if (focus || drafting !== null) input.current?.focus();
  }, [focus, drafting, input]);
  const finish = (): void => {
    if (!send(session, text.trim(), drafting)) return;
    write('');
    typing.ended();
    onDraft(null);
    if (drafting?.kind !== 'edit') onSent();
  };
  const submit = (event: FormEvent | KeyboardEvent): void => {
    event.preventDefault();
    input.current?.focus();
    if (drafting?.kind !== 'edit' && uploads.areComing) uploads.whenReady(finish);
    else finish();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isOfComposition(event.nativeEvent) || mentions.handleKey(event)) return;
    if (event.key === 'Escape' && drafting !== null) onDraft(null);
    else if (event.key === 'ArrowUp' && text === '' && drafting === null) editLast(event, session, onDraft);
    else if (event.key === 'Enter' && !event.shiftKey) submit(event);
  };
  const change = (draft: string): void => {
    write(draft);
    uploads.forget();
    typing.wrote(draft);
  };
  return { text, change, mentions, submit, onKeyDown };
}

/** Send what is written; false if there is nothing to send, or a file is not at the server. */
function send({ client, uploads }: Session, text: string, drafting: Drafting | null): boolean {
  if (drafting?.kind === 'edit') {
    if (text === '') return false;
    if (text !== drafting.message.text) client.chat.edit(drafting.message, text);
    return true;
  }
  if (!uploads.areReady || (text === '' && uploads.files.length === 0)) return false;
  const files = uploads.take();
  // Programs that know no files show the text: then it has their names.
  const sent = text || files.map(({ name }) => name).join(', ');
  if (drafting === null) client.chat.send(sent, { files });
  else client.chat.reply(drafting.message, sent, files);
  return true;
}

/** Edit the last message of this user. */
function editLast(event: KeyboardEvent, { client, conversation }: Session, onDraft: (drafting: Drafting) => void): void {
  const message = conversation.shown.findLast((candidate) => changesOf(client, candidate).edit);
  if (message === undefined) return;
  event.preventDefault();
  onDraft({ kind: 'edit', message });
}

function pasteFiles(event: ClipboardEvent, { uploads }: Session): void {
  const files = [...event.clipboardData.files];
  if (files.length === 0) return;
  event.preventDefault();
  uploads.add(files, foldersIn(event.clipboardData));
}

function Subject({ drafting: { kind, message }, onCancel }: { drafting: Drafting; onCancel: () => void }) {
  return (
    <div className="subject">
      <p>
        <strong>{t(kind === 'edit' ? 'editing' : 'replyingTo')}</strong> {beginningOf(message)}
      </p>
      <button type="button" className="quiet" aria-label={t('keepIt')} onClick={onCancel}>
        ✕
      </button>
    </div>
  );
}

/** The text that is written: an edited message's own, or a new one that is kept in this tab until it is sent. */
function useDraft(
  sessionId: string,
  input: RefObject<HTMLTextAreaElement | null>,
  edited: ConversationMessage | null,
): [string, (draft: string) => void] {
  const draftKey = `isshoni:draft:${place.root === '/' ? '' : place.root}${sessionId}`;
  const [text, setText] = useState(() => edited?.text ?? sessionStorage.getItem(draftKey) ?? '');
  // A draft that is restored leaves the caret before its first character.
  useEffect(() => input.current?.setSelectionRange(MAX_TEXT_CHARACTERS, MAX_TEXT_CHARACTERS), [input]);
  const write = (draft: string): void => {
    setText(draft);
    if (edited !== null) return;
    if (draft === '') sessionStorage.removeItem(draftKey);
    else sessionStorage.setItem(draftKey, draft);
  };
  return [text, write];
}
