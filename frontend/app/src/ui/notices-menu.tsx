import { t } from '../i18n.js';
import { WANTED, type Notices } from '../models/notices.js';
import { useChanges } from '../observable.js';
import { BELL, Icon } from './icon.js';
import { focusFirst, walk } from './menu-keys.js';

const LABELS = { none: 'notifyNone', mentions: 'notifyMentions', all: 'notifyAll' } as const;

/** The menu that switches desktop notifications. */
export function NoticesMenu({ notices }: { notices: Notices }) {
  useChanges(notices);
  if (!notices.isKnown) return null;
  const label = t('notify');
  const { wanted } = notices;
  return (
    <>
      <button
        type="button"
        className={`quiet notify${wanted === 'none' ? '' : ' on'}`}
        popoverTarget="notify"
        aria-haspopup="menu"
        title={label}
        aria-label={label}
      >
        <Icon path={BELL} />
      </button>
      <div id="notify" popover="auto" role="menu" aria-label={label} className="menu near" onToggle={focusFirst} onKeyDown={walk}>
        {WANTED.map((choice) => (
          <button key={choice} type="button" role="menuitemradio" aria-checked={choice === wanted} onClick={() => void notices.choose(choice)}>
            {t(LABELS[choice])}
          </button>
        ))}
        <p className="hint" role="status">
          {notices.isForbidden ? t('notifyForbidden') : ''}
        </p>
      </div>
    </>
  );
}
