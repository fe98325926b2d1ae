import { SessionHttpError } from '@isshoni/client';
import { beforeEach, expect, test, vi } from 'vitest';
import { Uploads } from '../src/models/uploads.js';

let held: { finish: () => void; fail: () => void }[];
let uploads: Uploads;
let sent: () => void;

beforeEach(() => {
  held = [];
  const putFile = (): Promise<void> =>
    new Promise((resolve, reject) => held.push({ finish: resolve, fail: () => reject(new SessionHttpError(500, 'failed', '')) }));
  uploads = new Uploads({ putFile });
  sent = vi.fn<() => void>();
});

/** Add files one by one, so that `held` has them in this order: each is hashed before it is on its way. */
async function add(...names: string[]): Promise<void> {
  for (const name of names) {
    const before = held.length;
    uploads.add([new File([name], name)]);
    await vi.waitFor(() => expect(held).toHaveLength(before + 1));
  }
}

const states = (): string[] => uploads.files.map(({ state }) => state);
const settled = (...wanted: string[]): Promise<void> => vi.waitFor(() => expect(states()).toEqual(wanted));

test('what waits for the files is done once, when the last is at the server', async () => {
  await add('one', 'two');
  expect(uploads.areComing).toBe(true);
  uploads.whenReady(sent);
  held[1]!.finish();
  await settled('uploading', 'done');
  expect(sent).not.toHaveBeenCalled();
  await add('three');
  held[0]!.finish();
  await settled('done', 'done', 'uploading');
  expect(uploads.areAwaited).toBe(true);
  held[2]!.finish();
  await vi.waitFor(() => expect(sent).toHaveBeenCalledOnce());
  expect(uploads.areAwaited).toBe(false);
  expect(uploads.take()).toHaveLength(3);
});

test('nothing is done if a file fails, is left out, or the wish is forgotten', async () => {
  await add('one', 'two');
  uploads.whenReady(sent);
  held[0]!.fail();
  await settled('failed', 'uploading');
  expect(uploads.areAwaited).toBe(false);
  expect(uploads.areComing).toBe(false);
  uploads.remove(uploads.files[0]!);
  uploads.whenReady(sent);
  uploads.forget();
  held[1]!.finish();
  await settled('done');
  await add('three', 'four');
  uploads.whenReady(sent);
  uploads.remove(uploads.files[2]!);
  held[2]!.finish();
  await settled('done', 'done');
  expect(sent).not.toHaveBeenCalled();
});

test('a failed file that is tried again can be waited for', async () => {
  await add('one');
  held[0]!.fail();
  await settled('failed');
  uploads.retry(uploads.files[0]!);
  await vi.waitFor(() => expect(held).toHaveLength(2));
  uploads.whenReady(sent);
  held[1]!.finish();
  await vi.waitFor(() => expect(sent).toHaveBeenCalledOnce());
});
