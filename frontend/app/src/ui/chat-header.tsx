import { useState } from 'react';
import { t } from '../i18n.js';
import type { Session } from '../session.js';
import { Icon, SEARCH } from './icon.js';
import { NoticesMenu } from './notices-menu.js';
import { SearchPanel } from './search-panel.js';

interface Props {
  session: Session;
  /** Show a message in the list. */
  onReveal: (seq: number) => void;
}

/** The chat's search and its notifications. */
export function ChatHeader({ session, onReveal }: Props) {
  const [isSearching, setSearching] = useState(false);
  const label = t('searchChat');
  return (
    <>
      <div className="chat-header">
        <h2>{t('chat')}</h2>
        <button type="button" className="quiet" aria-expanded={isSearching} title={label} aria-label={label} onClick={() => setSearching(!isSearching)}>
          <Icon path={SEARCH} />
        </button>
        <NoticesMenu notices={session.notices} />
      </div>
      {isSearching && <SearchPanel session={session} onReveal={onReveal} onClose={() => setSearching(false)} />}
    </>
  );
}
