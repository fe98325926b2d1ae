import './styles.css';
import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { place } from './place.js';
import { openSession } from './session.js';
import { loadCanvas } from './space.js';
import { followPreferences } from './ui/switches.js';

/** Defined by excalidraw-diet.ts: the fonts' path below `static/`. */
declare const EXCALIDRAW_FONTS: string;

const { root: top, sessionId } = place;
const root = createRoot(document.getElementById('app')!);

// Excalidraw reads this when it is loaded.
Object.assign(globalThis, { EXCALIDRAW_ASSET_PATH: `${location.origin}${top}static/${EXCALIDRAW_FONTS}` });
followPreferences();
// At once, beside what opens the session: the canvas is what takes longest to load.
if (sessionId !== undefined) void loadCanvas();
if (sessionId === undefined) root.render(<App session={null} />);
else void openSession(sessionId).then((session) => root.render(<App session={session} />));
