import { MainMenu } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import { useCallback, useMemo, useRef, useState, type Ref } from 'react';
import type * as Y from 'yjs';
import { t } from '../i18n.js';
import type { Session } from '../session.js';
import { Dialog } from '../ui/dialog.js';
import { ConfirmDialog } from '../ui/dialogs.js';
import { ACCEPTED, insertDrawing, resetCanvas, showAll, type Drawing } from './drawing-files.js';
import { addToLibrary, shareLibrary, takeLibrary, useKeptLibrary } from './library.js';
import { insertFiles, useInsertedFiles, type OnContent } from './inserted-files.js';

interface Props {
  api: ExcalidrawImperativeAPI | null;
  session: Session;
  onFault: (text: string) => void;
}

/** The canvas's menu, and the questions before a file or a reset changes the canvas for all users. */
export function CanvasMenu({ api, session: { client, arriving, health }, onFault }: Props) {
  const { readsOnly } = health;
  const [[drawing, ...others], setOpened] = useState<Drawing[]>([]);
  const [resetting, setResetting] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const onContent = useCallback<OnContent>(
    (content, name) => {
      const refuse = (): void => onFault(t('unreadableFile', { name }));
      if (content.is === 'drawing') setOpened((waiting) => [...waiting, content.drawing]);
      else if (content.is === 'library') void addToLibrary(api, content.items).catch(refuse);
      else refuse();
    },
    [api, onFault],
  );
  const onFolder = useCallback((name: string) => onFault(t('folderRefused', { name })), [onFault]);
  const handlers = useMemo(() => ({ onContent, onFolder }), [onContent, onFolder]);
  useKeptLibrary(api, onFault);
  useInsertedFiles(readsOnly ? null : api, arriving, handlers);
  return (
    <>
      <MainMenu>
        {!readsOnly && <MainMenu.Item onSelect={() => picker.current?.click()}>{t('openFile')}</MainMenu.Item>}
        <MainMenu.Item onSelect={() => api && showAll(api, api.getSceneElements())} shortcut="Shift+1">
          {t('zoomToFit')}
        </MainMenu.Item>
        <MainMenu.DefaultItems.SearchMenu />
        {!readsOnly && api !== null && <LibraryEntries api={api} library={client.doc.getMap('library')} onFault={onFault} />}
        {!readsOnly && <MainMenu.Item onSelect={() => setResetting(true)}>{t('resetCanvas')}</MainMenu.Item>}
        <MainMenu.DefaultItems.Help />
      </MainMenu>
      <FilePicker
        ref={picker}
        onFiles={(files) => {
          arriving.keep(files);
          if (api) void insertFiles(api, files, null, onContent);
        }}
      />
      {drawing !== undefined && (
        <InsertDialog
          key={others.length}
          drawing={drawing}
          onInsert={(replace) => api && insertDrawing(api, drawing, { replace })}
          onClose={() => setOpened((waiting) => waiting.slice(1))}
        />
      )}
      {resetting && <ResetDialog onReset={() => api && resetCanvas(api)} onClose={() => setResetting(false)} />}
    </>
  );
}

function FilePicker({ ref, onFiles }: { ref: Ref<HTMLInputElement>; onFiles: (files: File[]) => void }) {
  return (
    <input
      ref={ref}
      type="file"
      hidden
      multiple
      accept={ACCEPTED}
      aria-label={t('openFile')}
      onChange={({ target }) => {
        onFiles([...(target.files ?? [])]);
        target.value = '';
      }}
    />
  );
}

interface LibraryProps {
  api: ExcalidrawImperativeAPI;
  /** The shapes that were shared with the session. */
  library: Y.Map<unknown>;
  onFault: (text: string) => void;
}

/** Share the user's shapes with the session, and take those that were shared. */
function LibraryEntries({ api, library, onFault }: LibraryProps) {
  const share = async (): Promise<void> => {
    const count = await shareLibrary(api, library);
    onFault(count === 0 ? t('noShapes') : t('shapesShared', { count }));
  };
  return (
    <>
      <MainMenu.Item onSelect={() => void share()}>{t('shareShapes')}</MainMenu.Item>
      {library.size > 0 && <MainMenu.Item onSelect={() => void takeLibrary(api, library)}>{t('takeShapes')}</MainMenu.Item>}
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
