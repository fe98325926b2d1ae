import { useEffect } from 'react';
import { t } from '../i18n.js';
import { useChanges } from '../observable.js';
import { Icon, REDO, UNDO } from '../ui/icon.js';
import { isField } from './press.js';
import type { SharedCanvas } from './shared-canvas.js';

/**
 * Undo and redo buttons, instead of the editor's: those would also undo later changes of others,
 * and forget everything when the page is rendered again.
 */
export function UndoButtons({ canvas }: { canvas: SharedCanvas }) {
  useChanges(canvas);
  return (
    <div className="undo" role="group" aria-label={t('undoGroup')}>
      <button type="button" title={t('undo')} aria-label={t('undo')} disabled={!canvas.canUndo} onClick={() => canvas.undo()}>
        <Icon path={UNDO} />
      </button>
      <button type="button" title={t('redo')} aria-label={t('redo')} disabled={!canvas.canRedo} onClick={() => canvas.redo()}>
        <Icon path={REDO} />
      </button>
    </div>
  );
}

/** Handle the keys for undo and redo instead of the editor, but not in a text field. */
export function useUndoKeys(canvas: SharedCanvas | null): void {
  useEffect(() => {
    if (canvas === null) return;
    const listener = (event: KeyboardEvent): void => {
      if (isField(event.target)) return;
      const redo = isRedo(event);
      if (!redo && !isUndo(event)) return;
      event.preventDefault();
      event.stopPropagation();
      if (redo) canvas.redo();
      else canvas.undo();
    };
    addEventListener('keydown', listener, { capture: true });
    return () => removeEventListener('keydown', listener, { capture: true });
  }, [canvas]);
}

const isUndo = (event: KeyboardEvent): boolean => isCommand(event) && !event.shiftKey && event.code === 'KeyZ';
const isRedo = (event: KeyboardEvent): boolean =>
  isCommand(event) && ((event.shiftKey && event.code === 'KeyZ') || event.code === 'KeyY');
const isCommand = ({ ctrlKey, metaKey, altKey }: KeyboardEvent): boolean => (ctrlKey || metaKey) && !altKey;
