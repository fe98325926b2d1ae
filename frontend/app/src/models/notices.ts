import type { ChatEvent } from '@isshoni/client';
import { readChosen, writeChosen } from '@isshoni/paper';
import { t } from '../i18n.js';
import { Observable } from '../observable.js';
import { mentions } from './mentions.js';

/** What the user wants to be notified of while the page is hidden. */
export type Wanted = 'none' | 'mentions' | 'all';

export const WANTED: readonly Wanted[] = ['none', 'mentions', 'all'];

const LONGEST_BODY = 200;

interface Names {
  nameOf: (clientId: string) => string;
}

/** Desktop notifications. The browser is asked for its permission only when the user wants them. */
export class Notices extends Observable {
  private wasRefused = false;
  private chosen: Wanted;

  constructor(
    private readonly client: { readonly clientId: string; readonly sessionId: string },
    private readonly people: Names,
  ) {
    super();
    const { notify } = readChosen();
    this.chosen = WANTED.find((wanted) => wanted === notify) ?? 'none';
  }

  /** False where the browser knows no notifications. */
  get isKnown(): boolean {
    return 'Notification' in globalThis;
  }

  /** True if the user wants them and the browser does not allow them: when it was asked, or since then. */
  get isForbidden(): boolean {
    return this.wasRefused || (this.isKnown && this.chosen !== 'none' && Notification.permission === 'denied');
  }

  /** What this user is notified of. */
  get wanted(): Wanted {
    // The permission last: to read it, the page waits for the browser's main process.
    return this.chosen !== 'none' && this.isKnown && Notification.permission === 'granted' ? this.chosen : 'none';
  }

  /** Choose what to be notified of; asks the browser for its permission. */
  async choose(wanted: Wanted): Promise<void> {
    const isAllowed = wanted === 'none' || (await Notification.requestPermission()) === 'granted';
    this.wasRefused = !isAllowed;
    if (isAllowed) {
      this.chosen = wanted;
      writeChosen({ notify: wanted });
    }
    this.changed();
  }

  /** Notify the user of a message, if the page is hidden and the user wants it. */
  show({ client_id, name: given, text }: ChatEvent): void {
    const { wanted } = this;
    if (wanted === 'none' || !document.hidden) return;
    const isMention = mentions(text, this.people.nameOf(this.client.clientId));
    if (wanted === 'mentions' && !isMention) return;
    const name = given ?? this.people.nameOf(client_id);
    const { sessionId } = this.client;
    const title = isMention ? t('mentionedIn', { name, session: sessionId }) : t('wroteIn', { name, session: sessionId });
    try {
      // One for each session: the next one replaces it, also that of another tab.
      const notice = new Notification(title, { body: text.slice(0, LONGEST_BODY), tag: `isshoni:${sessionId}` });
      notice.onclick = () => {
        window.focus();
        notice.close();
      };
    } catch {
      // Android's browsers let only service workers notify.
      this.wasRefused = true;
      this.changed();
    }
  }
}
