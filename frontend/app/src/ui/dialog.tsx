import { useEffect, useRef, type ReactNode } from 'react';

interface Props {
  label: string;
  onClose: () => void;
  children: ReactNode;
}

/** A modal dialog; Escape closes it, and the focus returns to what opened it. */
export function Dialog({ label, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => returnFocus(opener);
  }, []);
  return (
    <dialog ref={dialog} aria-label={label} onClose={onClose}>
      {children}
    </dialog>
  );
}

/** Focus what opened a dialog, or the button of its menu: a modal dialog closes open menus. */
function returnFocus(opener: Element | null): void {
  if (document.activeElement !== document.body) return;
  const menu = opener?.closest('[popover]:not(:popover-open)');
  const target = menu ? document.querySelector(`[popovertarget="${menu.id}"]`) : opener;
  if (target instanceof HTMLElement) target.focus();
}
