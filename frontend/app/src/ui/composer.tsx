import { MAX_TEXT_CHARACTERS, type IsshoniClient } from '@isshoni/client';
import { useEffect, useRef, useState, type KeyboardEvent } from 'react';
import { t } from '../i18n.js';
import { place } from '../place.js';
import { isOfComposition } from './composition.js';
import { Icon, SEND } from './icon.js';

/** The message input; a draft survives a reload. */
export function Composer({ client, onSent }: { client: IsshoniClient; onSent: () => void }) {
  const draftKey = `isshoni:draft:${place.root === '/' ? '' : place.root}${client.sessionId}`;
  const [text, setText] = useState(() => sessionStorage.getItem(draftKey) ?? '');
  const input = useRef<HTMLTextAreaElement>(null);
  // A draft that is restored leaves the caret before its first character.
  useEffect(() => input.current?.setSelectionRange(MAX_TEXT_CHARACTERS, MAX_TEXT_CHARACTERS), []);
  const write = (draft: string): void => {
    setText(draft);
    if (draft === '') sessionStorage.removeItem(draftKey);
    else sessionStorage.setItem(draftKey, draft);
  };
  const submit = (): void => {
    if (text.trim() === '') return;
    client.send(text.trim());
    write('');
    onSent();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || isOfComposition(event.nativeEvent)) return;
    event.preventDefault();
    submit();
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
        input.current?.focus();
      }}
    >
      <textarea
        ref={input}
        rows={1}
        value={text}
        maxLength={MAX_TEXT_CHARACTERS}
        placeholder={t('messageHint')}
        aria-label={t('message')}
        enterKeyHint="send"
        onChange={(event) => write(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <button type="submit" className="seal-button" title={t('send')} aria-label={t('send')}>
        <Icon path={SEND} />
      </button>
    </form>
  );
}
