import { useEffect, useRef } from 'react';
import { t } from '../i18n.js';
import { place } from '../place.js';
import type { Health } from '../models/health.js';
import { useChanges } from '../observable.js';

/** Sentences for the close codes that a user can do something about. */
const SENTENCES: Record<number, Parameters<typeof t>[0]> = {
  4400: 'misunderstood',
  4401: 'tokenNeeded',
  4403: 'otherSession',
  4404: 'badName',
  4409: 'sessionsFull',
  4410: 'deleted',
  4413: 'changeTooLarge',
  4426: 'outdated',
  4429: 'tooFast',
};

/** Codes after which the same page may come back. */
const MAY_RELOAD = new Set([4400, 4413, 4426, 4429]);

function explain(code: number | undefined): string {
  const sentence = SENTENCES[code ?? 0];
  return sentence === undefined ? t('refusedHint', { code: code ?? '' }) : t(sentence);
}

/** Covers the page when the server has refused the client for good. */
export function Farewell({ health }: { health: Health }) {
  useChanges(health);
  if (health.status !== 'refused') return null;
  return <RefusalDialog code={health.code} />;
}

function RefusalDialog({ code }: { code: number | undefined }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      className="farewell"
      role="alertdialog"
      aria-label={t('statusRefused')}
      aria-describedby="refusal"
      // There is nothing to go back to. A browser lets the second Escape in a row cancel in any case.
      onKeyDown={(event) => {
        if (event.key === 'Escape') event.preventDefault();
      }}
      onCancel={(event) => event.preventDefault()}
      onClose={() => dialog.current?.showModal()}
    >
      <div>
        <p id="refusal">{explain(code)}</p>
        {MAY_RELOAD.has(code ?? 0) && (
          <button type="button" className="primary" onClick={() => location.reload()}>
            {t('reload')}
          </button>
        )}
        <a className="primary" href={place.root}>
          {t('home')}
        </a>
      </div>
    </dialog>
  );
}
