import { t } from '../i18n.js';
import { place } from '../place.js';
import type { Health } from '../models/health.js';
import { useChanges } from '../observable.js';

/** Sentences for the close codes that a user can do something about. */
const SENTENCES = { 4409: 'sessionsFull', 4410: 'deleted' } as const;

function explain(code: number | undefined): string {
  if (code === 4409 || code === 4410) return t(SENTENCES[code]);
  return t('refusedHint', { code: code ?? '' });
}

/** Covers the page when the server has refused the client for good. */
export function Farewell({ health }: { health: Health }) {
  useChanges(health);
  if (health.status !== 'refused') return null;
  return (
    <div className="farewell" role="alertdialog" aria-label={t('statusRefused')}>
      <div>
        <p>{explain(health.code)}</p>
        <a className="primary" href={place.root}>
          {t('home')}
        </a>
      </div>
    </div>
  );
}
