import type { IsshoniClient } from '@isshoni/client';
import { Observable } from '../observable.js';
import type { Pictures } from './pictures.js';

/** What would be lost if this tab were closed now. */
export interface Unsaved {
  messages: number;
  canvas: boolean;
  pictures: number;
  anything: boolean;
}

/**
 * What is not saved yet.
 *
 * It changes up to 50 times a second while the user draws: what shows nothing of it does not
 * observe it.
 */
export class Saving extends Observable {
  constructor(
    private readonly client: Pick<IsshoniClient, 'unsaved' | 'on'>,
    private readonly pictures: Pick<Pictures, 'unsaved' | 'observe'>,
  ) {
    super();
    client.on('saved', this.changed);
    pictures.observe(this.changed);
  }

  get unsaved(): Unsaved {
    const { messages, canvas } = this.client.unsaved;
    const pictures = this.pictures.unsaved;
    return { messages, canvas, pictures, anything: messages > 0 || canvas || pictures > 0 };
  }
}
