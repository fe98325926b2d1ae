import { useEffect, useState } from 'react';
import { t } from '../i18n.js';
import { LinkDialog } from './dialogs.js';
import { Icon, LINK } from './icon.js';

const SHOW_COPIED_MS = 2_000;

/** A button that copies the link to this canvas. */
export function ShareButton() {
  const [copied, setCopied] = useState(false);
  const [asking, setAsking] = useState(false);
  const link = location.origin + location.pathname;
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOW_COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const share = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(link);
      setCopied(true);
    } catch {
      // There is no clipboard without HTTPS, or without permission.
      setAsking(true);
    }
  };
  return (
    <>
      <button type="button" className="quiet share" title={t('share')} onClick={() => void share()}>
        <Icon path={LINK} />
        <span aria-live="polite">{copied ? t('copied') : t('share')}</span>
      </button>
      {asking && <LinkDialog link={link} onClose={() => setAsking(false)} />}
    </>
  );
}
