import './styles.css';
import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { openSession } from './session.js';
import { followPreferences } from './ui/switches.js';

/** Put here by excalidraw-diet.ts. */
declare const EXCALIDRAW_FONTS: string;

const sessionId = /^\/s\/([A-Za-z0-9_-]{1,64})\/?$/.exec(location.pathname)?.[1];
const root = createRoot(document.getElementById('app')!);

// Before the canvas is loaded: from where its fonts come.
Object.assign(globalThis, { EXCALIDRAW_ASSET_PATH: EXCALIDRAW_FONTS });
followPreferences();
if (sessionId === undefined) root.render(<App session={null} />);
else void openSession(sessionId).then((session) => root.render(<App session={session} />));
