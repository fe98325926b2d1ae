import { isIdentifier } from '@isshoni/client';
import { useEffect, useState, type FormEvent, type ReactNode } from 'react';
import { t } from './i18n.js';
import { loadPreferences, MAX_NAME_CHARACTERS, savePreference, toName } from './preferences.js';
import { place } from './place.js';
import { readableId } from './readable-id.js';
import { keepUnsent } from './ui/composition.js';
import { Seal } from './ui/seal.js';

/** The home page: make a new canvas, or open one by its name. */
export function Home({ switches }: { switches: ReactNode }) {
  useEffect(() => void (document.title = 'isshoni 一緒に'), []);
  return (
    <main className="home">
      <div className="corner">{switches}</div>
      <Seal />
      <h1>isshoni</h1>
      <p className="tagline">{t('tagline')}</p>
      {place.badName !== undefined && (
        <p className="notice" role="alert">
          {t('notASession', { name: place.badName })}
        </p>
      )}
      <CreateForm />
      <OpenForm />
    </main>
  );
}

function CreateForm() {
  const [name, setName] = useState(loadPreferences().name);
  const write = (text: string): void => {
    setName(text);
    savePreference({ name: toName(text) });
  };
  return (
    <form className="create" onKeyDown={keepUnsent} onSubmit={(event) => goTo(event, readableId())}>
      <label htmlFor="name">{t('yourName')}</label>
      <input
        type="text"
        id="name"
        value={name}
        maxLength={MAX_NAME_CHARACTERS}
        autoComplete="nickname"
        onChange={(event) => write(event.target.value)}
      />
      <button type="submit" className="primary">
        {t('create')}
      </button>
    </form>
  );
}

function OpenForm() {
  const [id, setId] = useState('');
  const chosen = id.trim();
  return (
    <form className="open" onKeyDown={keepUnsent} onSubmit={(event) => goTo(event, chosen)}>
      <label htmlFor="session">{t('openLabel')}</label>
      <div className="row">
        <input
          type="text"
          id="session"
          value={id}
          placeholder={t('openHint')}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => {
            setId(event.target.value);
            event.target.setCustomValidity(isIdentifier(event.target.value.trim()) ? '' : t('badId'));
          }}
          required
        />
        <button type="submit" className="quiet">
          {t('open')}
        </button>
      </div>
    </form>
  );
}

function goTo(event: FormEvent, id: string): void {
  event.preventDefault();
  location.assign(`${place.root}s/${id}`);
}
