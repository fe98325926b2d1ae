import type { ExcalidrawImperativeAPI } from '@excalidraw/excalidraw/types';
import type { IsshoniClient } from '@isshoni/client';
import { useRef, useState } from 'react';
import { t } from '../i18n.js';
import type { Health } from '../models/health.js';
import { useChanges } from '../observable.js';
import { ConfirmDialog } from './dialogs.js';
import { Icon, MENU } from './icon.js';
import { focusFirst, walk } from './menu-keys.js';
import { saveChat, saveJson, savePicture } from './take-away.js';

interface Props {
  client: IsshoniClient;
  /** The editor; null until it is loaded. */
  editor: ExcalidrawImperativeAPI | null;
  health: Health;
  onFault: (text: string) => void;
}

/** The menu that saves parts of the session as files, and deletes it. */
export function SessionMenu({ client, editor, health, onFault }: Props) {
  useChanges(health);
  const { readsOnly } = health;
  const [asking, setAsking] = useState(false);
  const menu = useRef<HTMLDivElement>(null);
  const act = (action: () => Promise<void>) => (): void => {
    menu.current?.hidePopover();
    action().catch(() => onFault(t('notDone')));
  };
  const item = (label: string, action: () => Promise<void>, needsEditor: boolean) => (
    <button type="button" role="menuitem" disabled={needsEditor && editor === null} onClick={act(action)}>
      {label}
    </button>
  );
  return (
    <>
      <button type="button" className="quiet menu-button" popoverTarget="menu" aria-haspopup="menu" title={t('more')} aria-label={t('more')}>
        <Icon path={MENU} />
      </button>
      <div ref={menu} id="menu" popover="auto" role="menu" aria-label={t('more')} className="menu" onToggle={focusFirst} onKeyDown={walk}>
        {item(t('savePng'), () => savePicture(editor!, client.sessionId, 'png'), true)}
        {item(t('saveSvg'), () => savePicture(editor!, client.sessionId, 'svg'), true)}
        {item(t('saveJson'), () => saveJson(editor!, client.sessionId), true)}
        {item(t('saveChat'), () => saveChat(client), false)}
        {!readsOnly && (
          <>
            <hr />
            <button type="button" role="menuitem" className="grave" onClick={() => setAsking(true)}>
              {t('deleteSession')}
            </button>
          </>
        )}
      </div>
      {asking && (
        <ConfirmDialog
          title={t('deleteTitle')}
          hint={t('deleteHint')}
          action={t('deleteForAll')}
          onConfirm={act(() => client.http.deleteSession())}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  );
}
