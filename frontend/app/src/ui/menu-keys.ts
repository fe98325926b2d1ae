import type { KeyboardEvent } from 'react';

/** Focus the first item, or the checked one, of a menu that opens. */
export function focusFirst(event: { currentTarget: HTMLElement; newState?: string }): void {
  if (event.newState !== 'open') return;
  const menu = event.currentTarget;
  (menu.querySelector<HTMLElement>('[aria-checked="true"]') ?? menu.querySelector('button'))?.focus();
}

/** Move the focus to the next or previous item with the arrow keys. */
export function walk(event: KeyboardEvent<HTMLElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll<HTMLButtonElement>('button:enabled')];
  const at = items.indexOf(document.activeElement as HTMLButtonElement);
  items.at((at + step) % items.length)?.focus();
}
