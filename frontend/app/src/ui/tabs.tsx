import { useState } from 'react';
import { t } from '../i18n.js';
import { useChanges } from '../observable.js';
import type { Session } from '../session.js';
import { BRUSH, Icon, TALK } from './icon.js';

export type Tab = 'canvas' | 'chat';

interface Props {
  session: Session;
  tab: Tab;
  onTab: (tab: Tab) => void;
}

/** On a phone: switches between canvas and chat. */
export function Tabs({ session: { conversation }, tab, onTab }: Props) {
  useChanges(conversation);
  const newest = conversation.messages.at(-1)?.seq ?? 0;
  const [read, setRead] = useState<number | null>(null);
  if (tab === 'chat' && read !== newest) setRead(newest);
  // Messages from before this user joined are not unread.
  if (read === null && newest > 0) setRead(newest);
  const unread = read === null ? 0 : newest - read;
  const button = (name: Tab, icon: string, label: string) => (
    <button type="button" aria-pressed={tab === name} onClick={() => onTab(name)}>
      <Icon path={icon} />
      {label}
      {name === 'chat' && unread > 0 && <span className="unread">{unread > 99 ? '99+' : unread}</span>}
    </button>
  );
  return (
    <nav className="tabs">
      {button('canvas', BRUSH, t('canvas'))}
      {button('chat', TALK, t('chat'))}
    </nav>
  );
}
