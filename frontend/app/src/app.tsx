import { useState } from 'react';
import { Home } from './home.js';
import { language } from './i18n.js';
import type { Session } from './session.js';
import { Space } from './space.js';
import { Switches, toggleLanguage } from './ui/switches.js';

/** The page: the home page or a session. A change of language draws all of it again. */
export function App({ session }: { session: Session | null }) {
  const [, speak] = useState(language());
  const switches = <Switches onLanguage={() => speak(toggleLanguage())} />;
  return session === null ? <Home switches={switches} /> : <Space session={session} switches={switches} />;
}
