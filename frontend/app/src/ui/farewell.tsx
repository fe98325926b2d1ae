import { t } from '../i18n.js';
import { place } from '../place.js';
import type { Health } from '../models/health.js';
import { useChanges } from '../observable.js';

/** The close code of a deleted session. */
const DELETED = 4410;

/** Covers the page when the server has refused the client for good. */
export function Farewell({ health }: { health: Health }) {
  useChanges(health);
  if (health.status !== 'refused') return null;
  return (
    <div className="farewell" role="alertdialog" aria-label={t('statusRefused')}>
      <div>
        <p>{health.code === DELETED ? t('deleted') : t('refusedHint', { code: health.code ?? '' })}</p>
        <a className="primary" href={place.root}>
          {t('home')}
        </a>
      </div>
    </div>
  );
}
