import '@excalidraw/excalidraw/index.css';
import { Excalidraw, MainMenu } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI, ExcalidrawProps } from '@excalidraw/excalidraw/types';
import { useEffect, useState } from 'react';
import { language } from '../i18n.js';
import type { Session } from '../session.js';
import { useTheme } from '../ui/switches.js';
import { SharedCanvas } from './shared-canvas.js';
import { useCollaborators, usePointer } from './pointers.js';
import { UndoButtons, useUndoKeys } from './undo.js';

const OPTIONS: ExcalidrawProps['UIOptions'] = {
  canvasActions: {
    changeViewBackgroundColor: false,
    export: false,
    loadScene: false,
    saveAsImage: false,
    saveToActiveFile: false,
    toggleTheme: false,
  },
};
const INITIAL: ExcalidrawProps['initialData'] = {
  appState: { viewBackgroundColor: '#fdfaf3', currentItemStrokeColor: '#26231f', currentItemFillStyle: 'solid' },
};

interface Props {
  session: Session;
  /** Told of the editor when it is there, and with null when it is gone. */
  onReady: (api: ExcalidrawImperativeAPI | null) => void;
}

/** The canvas: Excalidraw over the session's document. */
export default function Canvas({ session, onReady }: Props) {
  const [api, setApi] = useState<ExcalidrawImperativeAPI | null>(null);
  const canvas = useSharedCanvas(api, session);
  const point = usePointer(api, session.people);
  useCollaborators(api, session.people);
  useUndoKeys(canvas);
  useEffect(() => {
    onReady(api);
    return () => onReady(null);
  }, [api, onReady]);
  return (
    <div className="board" onPointerDownCapture={() => canvas?.beginStep()} onPointerLeave={point.leave}>
      <Excalidraw
        excalidrawAPI={setApi}
        initialData={INITIAL}
        UIOptions={OPTIONS}
        langCode={language() === 'ko' ? 'ko-KR' : 'en'}
        theme={useTheme()}
        aiEnabled={false}
        validateEmbeddable={false}
        isCollaborating
        onChange={(_, __, files) => canvas?.takeChange(files)}
        onPointerUpdate={point.update}
      >
        <MainMenu>
          <MainMenu.DefaultItems.SearchMenu />
          <MainMenu.DefaultItems.ClearCanvas />
          <MainMenu.DefaultItems.Help />
        </MainMenu>
      </Excalidraw>
      {canvas && <UndoButtons canvas={canvas} />}
    </div>
  );
}

function useSharedCanvas(api: ExcalidrawImperativeAPI | null, session: Session): SharedCanvas | null {
  const [canvas, setCanvas] = useState<SharedCanvas | null>(null);
  useEffect(() => {
    if (api === null) return;
    const made = new SharedCanvas(api, session);
    setCanvas(made);
    return () => {
      setCanvas(null);
      made.destroy();
    };
  }, [api, session]);
  return canvas;
}
