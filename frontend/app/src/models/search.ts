import type { ConversationMessage } from '@isshoni/client';
import { Observable } from '../observable.js';
import type { Conversation } from './conversation.js';

/** How many hits are shown before the search waits to be continued. */
const HITS_AT_ONCE = 20;

export type SearchState = 'idle' | 'searching' | 'paused' | 'done';

/** A search through the session's messages, from the newest back; loads older ones as it goes. */
export class Search extends Observable {
  state: SearchState = 'idle';
  /** Newest first. */
  readonly hits: ConversationMessage[] = [];
  /** The oldest message that was looked at. */
  reached: ConversationMessage | null = null;
  looked = 0;
  /** What is searched for, in small letters. */
  text = '';
  /** Identifies the current search: an earlier one ends when it notices. */
  private turn = 0;

  constructor(private readonly conversation: Pick<Conversation, 'messages' | 'searchOlder'>) {
    super();
  }

  /** Search for a text; the case of letters does not matter. */
  start(text: string): Promise<void> {
    this.cancel();
    this.text = fold(text.trim());
    this.hits.length = 0;
    this.reached = null;
    this.looked = 0;
    this.state = 'idle';
    return this.text === '' ? Promise.resolve(this.changed()) : this.goOn();
  }

  /** Search further back, for as many hits again. */
  async goOn(): Promise<void> {
    const turn = (this.turn += 1);
    const enough = this.hits.length + HITS_AT_ONCE;
    this.state = 'searching';
    this.changed();
    let hasOlder = true;
    while (hasOlder || this.hasUnseen()) {
      this.lookThroughLoaded(enough);
      if (this.hits.length >= enough) return this.end('paused');
      if (this.hasUnseen()) continue;
      hasOlder = await this.conversation.searchOlder();
      if (turn !== this.turn) return;
      this.changed();
    }
    this.end('done');
  }

  /** Stop; what was found stays. */
  cancel(): void {
    this.turn += 1;
    if (this.state === 'searching') this.end('paused');
  }

  private end(state: SearchState): void {
    this.state = state;
    this.changed();
  }

  private hasUnseen(): boolean {
    const [first] = this.conversation.messages;
    return first !== undefined && first.seq < (this.reached?.seq ?? Infinity);
  }

  private lookThroughLoaded(enough: number): void {
    const { messages } = this.conversation;
    const { reached } = this;
    let at = reached === null ? messages.length : messages.findIndex(({ seq }) => seq >= reached.seq);
    while (at > 0 && this.hits.length < enough) {
      at -= 1;
      this.reached = messages[at]!;
      this.looked += 1;
      if (fold(messages[at]!.text).includes(this.text)) this.hits.push(messages[at]!);
    }
  }
}

const fold = (text: string): string => text.normalize('NFC').toLocaleLowerCase();
