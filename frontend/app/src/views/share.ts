import { h, icon } from '@isshoni/paper';
import { t } from '../i18n.js';
import { showLink } from './dialogs.js';

const LINK = 'M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1';
const SHOW_COPIED_MS = 2_000;

/** A button that hands on the link to this sheet. */
export function shareButton(): HTMLElement {
  const label = h('span', { 'aria-live': 'polite' }, t('share'));
  const share = async (): Promise<void> => {
    const link = location.origin + location.pathname;
    try {
      await navigator.clipboard.writeText(link);
    } catch {
      // No clipboard without HTTPS, or without leave.
      showLink(link);
      return;
    }
    label.textContent = t('copied');
    setTimeout(() => (label.textContent = t('share')), SHOW_COPIED_MS);
  };
  const title = t('share');
  return h('button', { type: 'button', class: 'quiet share', title, onclick: () => void share() }, icon(LINK), label);
}
