/** The conversation that readers see passes the vectors that every client shares. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { About, ChatEvent, ChatFile, ConversationMessage } from '../src/index.js';
import { Conversation } from '../src/index.js';

interface Told {
  seq: number;
  text: string;
  edited?: true;
  deleted?: true;
  unreadable?: true;
  reply_to?: About;
  reactions?: [string, string[]][];
  files?: ChatFile[];
}

type Step =
  | { do: 'add'; events: Omit<ChatEvent, 'type'>[] }
  | { do: 'reset' }
  | { do: 'messages'; is: Told[] }
  | { do: 'find'; about: About; is: number | null };

const file = new URL('../../../../tests/vectors/conversation.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: { name: string; steps: Step[] }[] };

/** Return what a vector says of a message: nothing of what is as usual. */
function tell(message: ConversationMessage): Told {
  const { seq, text, edited, deleted, unreadable, replyTo, files } = message;
  const reactions = [...message.reactions].map(([emoji, authors]): [string, string[]] => [
    emoji,
    authors.map(({ client_id, by }) => (by === undefined ? client_id : `${by}/`)),
  ]);
  return {
    seq,
    text,
    ...(edited && { edited }),
    ...(deleted && { deleted }),
    ...(unreadable && { unreadable }),
    ...(replyTo && { reply_to: replyTo }),
    ...(reactions.length > 0 && { reactions }),
    ...(files.length > 0 && { files: [...files] }),
  };
}

describe('conversation', () => {
  test.each(cases)('$name', ({ steps }) => {
    const conversation = new Conversation();
    for (const step of steps) {
      if (step.do === 'add') conversation.add(step.events.map((event) => ({ type: 'chat', ...event })));
      else if (step.do === 'reset') conversation.reset();
      else if (step.do === 'messages') expect(conversation.messages.map(tell)).toEqual(step.is);
      else expect(conversation.find(step.about)?.seq ?? null).toBe(step.is);
    }
  });

  test('a message that did not change is the same object', () => {
    const conversation = new Conversation();
    const event = (seq: number, more: Partial<ChatEvent> = {}): ChatEvent =>
      ({ type: 'chat', seq, client_id: 'ann', n: seq, text: `m${seq}`, at: 0, ...more });
    conversation.add([event(1), event(2)]);
    const [first, second] = conversation.messages;
    conversation.add([event(3, { text: '!', about: { kind: 'react', client_id: 'ann', n: 2 } })]);
    expect(conversation.messages[0]).toBe(first);
    expect(conversation.messages[1]).not.toBe(second);
  });

  const about = fc.record(
    {
      kind: fc.constantFrom('reply', 'react', 'react', 'unreact', 'edit', 'delete', 'pin'),
      client_id: fc.constantFrom('a', 'b'),
      n: fc.integer({ min: 1, max: 3 }),
      by: fc.constant('u'),
    },
    { requiredKeys: ['kind', 'client_id', 'n'] },
  );
  const fields = fc.record(
    {
      client_id: fc.constantFrom('a', 'b'),
      n: fc.integer({ min: 1, max: 3 }),
      text: fc.constantFrom('x', 'y'),
      by: fc.constantFrom('u', 'v'),
      unreadable: fc.constantFrom(false, false, true),
      about,
    },
    { requiredKeys: ['client_id', 'n', 'text'] },
  );
  const log = fc
    .array(fields, { maxLength: 14 })
    .map((all) => all.map((one, index): ChatEvent => ({ type: 'chat', seq: index + 1, at: 0, ...one })));

  test('pages in any order make the conversation of the whole log', () => {
    fc.assert(
      fc.property(log, fc.infiniteStream(fc.nat()), (events, numbers) => {
        const next = (below: number): number => Number(numbers.next().value) % below;
        const [whole, paged] = [new Conversation(), new Conversation()];
        whole.add(events);
        const rest = [...events];
        while (rest.length > 0) {
          const size = 1 + next(rest.length);
          paged.add(rest.splice(next(rest.length - size + 1), size));
          paged.add(events.slice(-2));
          void paged.messages;
        }
        expect(paged.messages).toEqual(whole.messages);
      }),
    );
  });
});
