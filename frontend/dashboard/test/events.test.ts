import { expect, test } from 'vitest';
import { parseEvents } from '../src/events.js';

async function read(...chunks: string[]): Promise<(string | null)[]> {
  const encoder = new TextEncoder();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      chunks.forEach((chunk) => controller.enqueue(encoder.encode(chunk)));
      controller.close();
    },
  });
  const events = [];
  for await (const event of parseEvents(stream)) events.push(event);
  return events;
}

test('events are found wherever the network cuts them', async () => {
  const sent = 'event: status\ndata: {"at":1}\n\n: still here\n\nevent: status\ndata: {"at":2}\n\n';
  const expected = ['{"at":1}', null, '{"at":2}'];
  expect(await read(sent)).toEqual(expected);
  expect(await read(...sent)).toEqual(expected);
});

test('an event cut short by the end is no event', async () => {
  expect(await read('event: status\ndata: {"at":')).toEqual([]);
});
