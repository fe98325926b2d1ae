import './styles.css';
import { mountHome } from './home.js';
import { enterSpace } from './space.js';
import { applyPreferences } from './views/chrome.js';

const root = document.getElementById('app')!;
const sessionId = /^\/s\/([A-Za-z0-9_-]{1,64})\/?$/.exec(location.pathname)?.[1];

applyPreferences();
if (sessionId === undefined) mountHome(root);
else void enterSpace(root, sessionId);
