import { expect, test } from 'vitest';
import { HistoryRequests } from '../src/history-requests.js';
import type { ChatEvent, HistoryPage } from '../src/index.js';

test('a page that came twice answers no other question', async () => {
  const asked: object[] = [];
  const requests = new HistoryRequests((frame) => asked.push(frame));
  const pages = [requests.ask(100, 10), requests.ask(50, 10)];
  const page = (seq: number): HistoryPage => ({ messages: [{ seq } as ChatEvent], more: true });
  for (const seq of [99, 99, 49]) requests.answer(page(seq));
  expect(await Promise.all(pages)).toEqual([page(99), page(49)]);
  expect(asked).toMatchObject([{ before: 100 }, { before: 50 }]);
});
