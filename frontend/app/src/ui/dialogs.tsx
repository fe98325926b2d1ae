import { useState } from 'react';
import { t } from '../i18n.js';
import { MAX_NAME_CHARACTERS, toName } from '../preferences.js';
import { keepUnsent } from './composition.js';
import { Dialog } from './dialog.js';

interface NameProps {
  current: string;
  onName: (name: string) => void;
  onClose: () => void;
}

/** Ask for the user's name; closing the dialog changes nothing. */
export function NameDialog({ current, onName, onClose }: NameProps) {
  const [name, setName] = useState(current);
  return (
    <Dialog label={t('yourName')} onClose={onClose}>
      <form method="dialog" onKeyDown={keepUnsent} onSubmit={() => onName(toName(name))}>
        <label htmlFor="name">{t('yourName')}</label>
        <p className="hint">{t('nameHint')}</p>
        <input
          type="text"
          id="name"
          value={name}
          maxLength={MAX_NAME_CHARACTERS}
          autoComplete="nickname"
          autoFocus
          onChange={(event) => setName(event.target.value)}
        />
        <button type="submit" className="primary">
          {current === '' ? t('enter') : t('save')}
        </button>
      </form>
    </Dialog>
  );
}

/** Show the link, where the page may not copy it. */
export function LinkDialog({ link, onClose }: { link: string; onClose: () => void }) {
  return (
    <Dialog label={t('shareTitle')} onClose={onClose}>
      <form method="dialog">
        <label htmlFor="link">{t('shareTitle')}</label>
        <input type="text" id="link" value={link} readOnly autoFocus onFocus={(event) => event.target.select()} />
        <button type="submit" className="primary">
          {t('close')}
        </button>
      </form>
    </Dialog>
  );
}

interface ConfirmProps {
  title: string;
  hint: string;
  /** The text of the button that confirms. */
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Ask for confirmation before something changes for all users; closing it changes nothing. */
export function ConfirmDialog({ title, hint, action, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog label={title} onClose={onClose}>
      <form method="dialog">
        <h2>{title}</h2>
        <p className="hint">{hint}</p>
        <div className="answers">
          <button type="submit" className="plain" autoFocus>
            {t('keepIt')}
          </button>
          <button type="submit" className="primary" onClick={onConfirm}>
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
