import { t } from '../i18n.js';
import { place } from '../place.js';

/** The seal: the page's mark, and the way home. */
export function Seal() {
  return (
    <a className="seal" href={place.root} title={t('home')} aria-label={`isshoni – ${t('home')}`}>
      一緒
    </a>
  );
}
