import { t } from '../i18n.js';

/** The seal: the page's mark, and the way home. */
export function Seal() {
  return (
    <a className="seal" href="/" title={t('home')} aria-label={`isshoni – ${t('home')}`}>
      一緒
    </a>
  );
}
