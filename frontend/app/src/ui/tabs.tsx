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
export function Tabs({ session: { unread }, tab, onTab }: Props) {
  useChanges(unread);
  const { count } = unread;
  const button = (name: Tab, icon: string, label: string) => (
    <button type="button" aria-pressed={tab === name} onClick={() => onTab(name)}>
      <Icon path={icon} />
      {label}
      {name === 'chat' && count > 0 && <span className="unread">{count > 99 ? '99+' : count}</span>}
    </button>
  );
  return (
    <nav className="tabs">
      {button('canvas', BRUSH, t('canvas'))}
      {button('chat', TALK, t('chat'))}
    </nav>
  );
}
