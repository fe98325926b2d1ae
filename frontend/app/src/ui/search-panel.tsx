import type { ConversationMessage } from '@isshoni/client';
import { useEffect, useState, type FormEvent, type KeyboardEvent } from 'react';
import { language, t } from '../i18n.js';
import { Search } from '../models/search.js';
import { useChanges } from '../observable.js';
import type { Session } from '../session.js';
import { keepUnsent } from './composition.js';
import { formatDay, formatMoment } from './moments.js';

interface Props {
  session: Session;
  onReveal: (seq: number) => void;
  onClose: () => void;
}

/** A search through all messages of the session: progress, hits, and the way to each. */
export function SearchPanel({ session, onReveal, onClose }: Props) {
  const [search] = useState(() => new Search(session.conversation));
  useChanges(search);
  useEffect(() => () => search.cancel(), [search]);
  const onKeyDown = (event: KeyboardEvent): void => {
    keepUnsent(event);
    if (event.key === 'Escape') onClose();
  };
  return (
    <search className="search" onKeyDown={onKeyDown}>
      <SearchForm onSearch={(text) => void search.start(text)} />
      <p className="hint" role="status">
        {progress(search)}
      </p>
      <ol className="hits">
        {search.hits.map((hit) => (
          <Hit key={hit.seq} hit={hit} name={hit.name ?? session.people.nameOf(hit.client_id)} wanted={search.text} onReveal={onReveal} />
        ))}
      </ol>
      <div className="row">
        {search.state === 'searching' && <Quiet label={t('keepIt')} onClick={() => search.cancel()} />}
        {search.state === 'paused' && <Quiet label={t('searchOn')} onClick={() => void search.goOn()} />}
        <Quiet label={t('close')} onClick={onClose} />
      </div>
    </search>
  );
}

function SearchForm({ onSearch }: { onSearch: (text: string) => void }) {
  const [text, setText] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onSearch(text);
  };
  return (
    <form className="row" onSubmit={submit}>
      <input
        type="text"
        value={text}
        autoFocus
        placeholder={t('searchHint')}
        aria-label={t('searchHint')}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="quiet">
        {t('search')}
      </button>
    </form>
  );
}

function Hit({ hit, name, wanted, onReveal }: { hit: ConversationMessage; name: string; wanted: string; onReveal: (seq: number) => void }) {
  return (
    <li>
      <button type="button" onClick={() => onReveal(hit.seq)}>
        <span className="head">
          <span className="who">{name}</span>
          <time>{formatMoment(new Date(hit.at), language())}</time>
        </span>
        <span className="found-text">{around(hit.text, wanted)}</span>
      </button>
    </li>
  );
}

function Quiet({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <button type="button" className="quiet" onClick={onClick}>
      {label}
    </button>
  );
}

function progress({ state, looked, hits, reached }: Search): string {
  if (state === 'idle') return t('searchScope');
  const values = { looked, hits: hits.length };
  if (state === 'done') return t(hits.length === 0 ? 'searchNothing' : 'searchDone', values);
  const day = reached === null ? '' : formatDay(new Date(reached.at), language());
  return t(state === 'searching' ? 'searchingBack' : 'searchPaused', { ...values, day });
}

const SNIPPET = 60;

/** Return the part of a text around what was found. */
function around(text: string, wanted: string): string {
  const from = Math.max(0, text.toLocaleLowerCase().indexOf(wanted) - SNIPPET / 2);
  return `${from > 0 ? '…' : ''}${text.slice(from, from + 3 * SNIPPET)}`;
}
