import { t } from '../i18n.js';

/**
 * Name the parts of the editor for assistive technology where the editor (0.18) does not, or does wrongly.
 *
 * To be the board's `ref`: React keeps attributes that it did not set itself.
 */
export function nameParts(board: HTMLElement | null): (() => void) | undefined {
  if (board === null) return undefined;
  const observer = new MutationObserver(nameAll);
  // The editor's dialogs are children of the body.
  observer.observe(document.body, { childList: true, characterData: true, subtree: true });
  nameAll();
  return () => observer.disconnect();
}

function nameAll(): void {
  each('.main-menu-trigger', (button) => set(button, 'aria-label', t('canvasMenu')));
  // The name of a button has to contain the text on it, or speech control does not find it.
  each('.reset-zoom-button', (button) => set(button, 'aria-label', `${button.textContent}, ${button.title}`));
  each('[data-testid="search-menu-button"]', (button) => button.removeAttribute('aria-label'));
  // A row of colours is no modal dialog: a screen reader would hide everything else.
  each('.color-picker-container[role="dialog"]', (row) => {
    set(row, 'role', 'group');
    set(row, 'aria-label', row.parentElement?.previousElementSibling?.textContent ?? '');
    row.removeAttribute('aria-modal');
  });
  // It is the foot of the editor, not of the page.
  each('footer[role="contentinfo"]', (foot) => set(foot, 'role', 'group'));
  each('.Modal[role="dialog"]', (dialog) => set(dialog, 'aria-label', dialog.querySelector('.Dialog__title, .dialog-mermaid-title')?.textContent ?? ''));
  // A link in a dialog would leave the session.
  each('.ttd-dialog-desc a', (link) => {
    set(link, 'target', '_blank');
    set(link, 'rel', 'noopener noreferrer');
  });
  // Mermaid explains its errors in English only; the editor's heading above them is too.
  each('.ttd-dialog-output-error', ({ firstChild }) => {
    if (firstChild instanceof Text && firstChild.data !== t('notADiagram')) firstChild.data = t('notADiagram');
  });
  each('.ttd-dialog-output-error p', (explanation) => set(explanation, 'lang', 'en'));
  each('.ttd-dialog-input', (field) => set(field, 'aria-label', field.closest('.ttd-dialog-panel')?.querySelector('label')?.textContent ?? ''));
}

function each(selector: string, change: (element: HTMLElement) => void): void {
  document.querySelectorAll<HTMLElement>(`.excalidraw ${selector}`).forEach(change);
}

function set(element: HTMLElement, attribute: string, value: string): void {
  if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
}
