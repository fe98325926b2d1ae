import '@excalidraw/excalidraw/index.css';
import { Excalidraw } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI, ExcalidrawProps } from '@excalidraw/excalidraw/types';
import { useEffect, useMemo, useState } from 'react';
import { language, t } from '../i18n.js';
import type { Health } from '../models/health.js';
import { useChanges, useLasting } from '../observable.js';
import type { Session } from '../session.js';
import { useTheme } from '../ui/switches.js';
import { isEmbeddable, MAY_EMBED, renderEmbed } from './embeds.js';
import { FollowedFrame, useFollowing } from './following.js';
import { CanvasMenu } from './menu.js';
import { nameParts } from './names.js';
import { SceneLayer } from './scene-layer.js';
import { PAPER, SharedCanvas } from './shared-canvas.js';
import { PointerSender, useCollaborators } from './pointers.js';
import { UndoButtons, useUndoKeys } from './undo.js';

const OPTIONS: ExcalidrawProps['UIOptions'] = {
  canvasActions: {
    changeViewBackgroundColor: false,
    clearCanvas: false,
    export: false,
    loadScene: false,
    saveAsImage: false,
    saveToActiveFile: false,
    toggleTheme: false,
  },
};
const INITIAL: ExcalidrawProps['initialData'] = {
  appState: {
    viewBackgroundColor: PAPER,
    currentItemStrokeColor: '#26231f',
    currentItemFillStyle: 'solid',
    // Start with the pen: an empty canvas has nothing to select.
    activeTool: { type: 'freedraw', customType: null, locked: false, lastActiveTool: null },
  },
};

/** What is saved sooner is not worth a message, nor drawing the page for it. */
const SHOW_UNSAVED_MS = 1_000;

// Draw the canvas once a frame, however many changes come in it, and only the changes where that is possible.
Object.assign(globalThis, { EXCALIDRAW_THROTTLE_RENDER: true, ISSHONI_DRAW: new SceneLayer().draw });

interface Props {
  session: Session;
  /** Called with the editor when it is loaded, and with null when it is removed. */
  onReady: (api: ExcalidrawImperativeAPI | null) => void;
  onFault: (text: string) => void;
}

/** The canvas: Excalidraw, bound to the session's document. */
export default function Canvas({ session, onReady, onFault }: Props) {
  const [api, setApi] = useState<ExcalidrawImperativeAPI | null>(null);
  const canvas = useSharedCanvas(api, session);
  const sender = useMemo(() => new PointerSender(api, session.people), [api, session.people]);
  useCollaborators(api, session.people);
  useFollowing(api, session.following);
  useUndoKeys(canvas);
  useChanges(session.health);
  useEffect(() => {
    onReady(api);
    return () => onReady(null);
  }, [api, onReady]);
  const takeView = (): void => {
    canvas?.takeView();
    session.following.stop();
  };
  return (
    <div
      className={MAY_EMBED ? 'board may-embed' : 'board'}
      ref={nameParts}
      onPointerDownCapture={(event) => {
        if (event.target instanceof HTMLCanvasElement) takeView();
      }}
      onWheelCapture={takeView}
      onPointerLeave={sender.leave}
    >
      <Excalidraw
        excalidrawAPI={setApi}
        initialData={INITIAL}
        UIOptions={OPTIONS}
        langCode={language() === 'ko' ? 'ko-KR' : 'en'}
        theme={useTheme()}
        aiEnabled={false}
        validateEmbeddable={MAY_EMBED && isEmbeddable}
        renderEmbeddable={renderEmbed}
        isCollaborating
        viewModeEnabled={session.health.readsOnly}
        onChange={() => canvas?.scheduleSync()}
        onPointerUpdate={sender.update}
      >
        <CanvasMenu api={api} session={session} onFault={onFault} />
      </Excalidraw>
      <FollowedFrame following={session.following} people={session.people} />
      {canvas && <UndoButtons canvas={canvas} />}
      {canvas && <Summary canvas={canvas} />}
      <Unsaved health={session.health} />
    </div>
  );
}

/** For screen readers: the number of elements on the canvas. */
function Summary({ canvas }: { canvas: SharedCanvas }) {
  useChanges(canvas);
  return (
    <p className="unseen summary" data-count={canvas.count}>
      {t('canvasCount', { count: canvas.count })}
    </p>
  );
}

/** Says that changes or images are not saved yet; shown once that has lasted for a second. */
function Unsaved({ health: { saving } }: { health: Health }) {
  const isLate = useLasting(saving, () => saving.unsaved.canvas || saving.unsaved.pictures > 0, SHOW_UNSAVED_MS);
  if (!isLate) return null;
  return (
    <p className="unsaved-canvas" role="status">
      {t('notSaved')}
    </p>
  );
}

function useSharedCanvas(api: ExcalidrawImperativeAPI | null, session: Session): SharedCanvas | null {
  const canvas = useMemo(() => api && new SharedCanvas(api, session), [api, session]);
  useEffect(() => {
    canvas?.start();
    return () => canvas?.stop();
  }, [canvas]);
  return canvas;
}
