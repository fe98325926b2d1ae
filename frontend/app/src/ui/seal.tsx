import { SEAL } from '@isshoni/paper';
import { t } from '../i18n.js';
import { place } from '../place.js';

/** The page's logo, a link to the home page. */
export function Seal() {
  return (
    <a className="seal" href={place.root} title={t('home')} aria-label={`isshoni – ${t('home')}`}>
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <path d={SEAL} />
      </svg>
    </a>
  );
}
