import { MainMenu } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { useCallback, useRef, useState } from 'react';
import { t } from '../i18n.js';
import { Dialog } from '../ui/dialog.js';
import { ConfirmDialog } from '../ui/dialogs.js';
import { ACCEPTED, insertDrawing, resetCanvas, showAll, type Drawing } from './drawing-files.js';
import { insertFiles, useInsertedFiles, type OnContent } from './inserted-files.js';

interface Props {
  api: ExcalidrawImperativeAPI | null;
  readsOnly: boolean;
  onFault: (text: string) => void;
}

/** The canvas's menu, and the questions before a file or a reset changes the canvas for all users. */
export function CanvasMenu({ api, readsOnly, onFault }: Props) {
  const [opened, setOpened] = useState<Drawing[]>([]);
  const [resetting, setResetting] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const onContent = useCallback<OnContent>(
    (content, name) => {
      if (content.is === 'drawing') setOpened((waiting) => [...waiting, content.drawing]);
      else onFault(t(content.is === 'library' ? 'noLibraries' : 'unreadableFile', { name }));
    },
    [onFault],
  );
  useInsertedFiles(readsOnly ? null : api, onContent);
  const [drawing] = opened;
  return (
    <>
      <MainMenu>
        {!readsOnly && <MainMenu.Item onSelect={() => picker.current?.click()}>{t('openFile')}</MainMenu.Item>}
        <MainMenu.Item onSelect={() => api && showAll(api, api.getSceneElements())} shortcut="Shift+1">
          {t('zoomToFit')}
        </MainMenu.Item>
        <MainMenu.DefaultItems.SearchMenu />
        {!readsOnly && <MainMenu.Item onSelect={() => setResetting(true)}>{t('resetCanvas')}</MainMenu.Item>}
        <MainMenu.DefaultItems.Help />
      </MainMenu>
      <input
        ref={picker}
        type="file"
        hidden
        multiple
        accept={ACCEPTED}
        aria-label={t('openFile')}
        onChange={({ target }) => {
          if (api !== null) void insertFiles(api, [...(target.files ?? [])], null, onContent);
          target.value = '';
        }}
      />
      {drawing !== undefined && (
        <InsertDialog
          key={opened.length}
          drawing={drawing}
          onInsert={(replace) => api && insertDrawing(api, drawing, { replace })}
          onClose={() => setOpened((waiting) => waiting.slice(1))}
        />
      )}
      {resetting && <ResetDialog onReset={() => api && resetCanvas(api)} onClose={() => setResetting(false)} />}
    </>
  );
}

interface InsertProps {
  drawing: Drawing;
  onInsert: (replace: boolean) => void;
  onClose: () => void;
}

/** Ask whether a drawing is added to the canvas, or replaces it; closing the dialog changes nothing. */
function InsertDialog({ drawing: { name, elements }, onInsert, onClose }: InsertProps) {
  return (
    <Dialog label={t('insertTitle', { name })} onClose={onClose}>
      <form method="dialog">
        <h2>{t('insertTitle', { name })}</h2>
        <p className="hint">{t('insertHint', { count: elements.length })}</p>
        <div className="answers">
          <button type="submit" className="plain">
            {t('keepIt')}
          </button>
          <button type="submit" className="plain grave" onClick={() => onInsert(true)}>
            {t('replaceForAll')}
          </button>
          <button type="submit" className="primary" autoFocus onClick={() => onInsert(false)}>
            {t('addToCanvas')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function ResetDialog({ onReset, onClose }: { onReset: () => void; onClose: () => void }) {
  return <ConfirmDialog title={t('resetTitle')} hint={t('resetHint')} action={t('resetForAll')} onConfirm={onReset} onClose={onClose} />;
}
