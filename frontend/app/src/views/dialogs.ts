import { h } from '@isshoni/paper';
import { t } from '../i18n.js';
import { MAX_NAME_CHARACTERS, toName } from '../preferences.js';

/** Ask for a name; closing the dialog leaves it as it was. */
export function askName(current: string, take: (name: string) => void): void {
  const input = h('input', {
    type: 'text',
    id: 'name',
    value: current,
    maxlength: MAX_NAME_CHARACTERS,
    autocomplete: 'nickname',
    autofocus: true,
  });
  const form = h(
    'form',
    { method: 'dialog', onsubmit: () => take(toName(input.value)) },
    h('label', { for: 'name' }, t('yourName')),
    h('p', { class: 'hint' }, t('nameHint')),
    input,
    h('button', { type: 'submit', class: 'primary' }, current === '' ? t('enter') : t('save')),
  );
  open(form, t('yourName'));
}

/** Show the link, for where it cannot be copied by itself. */
export function showLink(link: string): void {
  const input = h('input', { type: 'text', id: 'link', value: link, readonly: true, autofocus: true });
  input.addEventListener('focus', () => input.select());
  const form = h(
    'form',
    { method: 'dialog' },
    h('label', { for: 'link' }, t('shareTitle')),
    input,
    h('button', { type: 'submit', class: 'primary' }, t('close')),
  );
  open(form, t('shareTitle'));
}

function open(form: HTMLFormElement, label: string): void {
  const dialog = h('dialog', { 'aria-label': label }, form);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
