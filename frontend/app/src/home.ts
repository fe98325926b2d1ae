import { isIdentifier } from '@isshoni/client';
import { h } from '@isshoni/paper';
import { t } from './i18n.js';
import { loadPreferences, MAX_NAME_CHARACTERS, savePreference, toName } from './preferences.js';
import { readableId } from './readable-id.js';
import { seal, switches } from './views/chrome.js';

/** The front page: take a new sheet, or open one. */
export function mountHome(root: HTMLElement): void {
  const remount = (): void => mountHome(root);
  document.title = 'isshoni 一緒に';
  root.replaceChildren(
    h(
      'main',
      { class: 'home' },
      h('div', { class: 'corner' }, switches(remount)),
      seal(),
      h('h1', {}, 'isshoni'),
      h('p', { class: 'tagline' }, t('tagline')),
      createForm(),
      openForm(),
    ),
  );
}

function createForm(): HTMLElement {
  const name = h('input', {
    type: 'text',
    id: 'name',
    value: loadPreferences().name,
    maxlength: MAX_NAME_CHARACTERS,
    autocomplete: 'nickname',
    oninput: () => savePreference({ name: toName(name.value) }),
  });
  return h(
    'form',
    { class: 'create', onsubmit: goTo(readableId) },
    h('label', { for: 'name' }, t('yourName')),
    name,
    h('button', { type: 'submit', class: 'primary' }, t('create')),
  );
}

function openForm(): HTMLElement {
  const id = h('input', {
    type: 'text',
    id: 'session',
    placeholder: t('openHint'),
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    oninput: () => id.setCustomValidity(''),
  });
  const chosenId = (): string | null => {
    const text = id.value.trim();
    if (isIdentifier(text)) return text;
    id.setCustomValidity(t('badId'));
    id.reportValidity();
    return null;
  };
  return h(
    'form',
    { class: 'open', onsubmit: goTo(chosenId) },
    h('label', { for: 'session' }, t('openLabel')),
    h('div', { class: 'row' }, id, h('button', { type: 'submit', class: 'quiet' }, t('open'))),
  );
}

const goTo = (choose: () => string | null) => (event: SubmitEvent): void => {
  event.preventDefault();
  const id = choose();
  if (id !== null) location.assign(`/s/${id}`);
};
