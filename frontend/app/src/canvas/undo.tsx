import { useEffect } from 'react';
import { t } from '../i18n.js';
import { useChanges } from '../observable.js';
import { Icon, REDO, UNDO } from '../ui/icon.js';
import { isField } from './press.js';
import type { SharedCanvas } from './shared-canvas.js';

/**
 * Our own undo, in place of the editor's: that one would take back what others did since,
 * and forgets all when the page is drawn anew.
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

/** Take undo and redo from the keyboard before the editor does, but not while someone writes. */
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
