import { h } from '@isshoni/paper';
import { t } from '../i18n.js';

/** Ask for confirmation; resolve to false if the dialog is closed. */
export function confirm(question: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = h(
      'dialog',
      { 'aria-label': yes },
      h('p', { class: 'question' }, question),
      h(
        'div',
        { class: 'row' },
        h('button', { type: 'button', class: 'quiet', autofocus: true, onclick: () => dialog.close() }, t('cancel')),
        h('button', { type: 'button', class: 'primary', onclick: () => dialog.close('yes') }, yes),
      ),
    );
    open(dialog, () => resolve(dialog.returnValue === 'yes'));
  });
}

/** Show a dialog until it is closed, then remove it. */
export function open(dialog: HTMLDialogElement, closed: () => void = () => undefined): void {
  dialog.addEventListener('close', () => {
    dialog.remove();
    closed();
  });
  document.body.append(dialog);
  dialog.showModal();
}
