import type { IsshoniClient } from '@isshoni/client';
import { isErased } from './erased-elements.js';

/** Transaction origin of these deletions: they belong to no user, so no undo brings them back. */
const MAKING_ROOM = Symbol('making room');

/**
 * Delete the erased elements of a full canvas.
 *
 * The page marks what a user erases (`isDeleted`), so that it can be undone. A mark frees no space, so a
 * full canvas would stay full: while the server refuses changes, marked elements are deleted, each once.
 */
export function makeRoomWhenFull(client: IsshoniClient): void {
  let isFull = false;
  let isDue = false;

  const deleteErased = (): void => {
    isDue = false;
    const erased = [...client.elements].filter(([, element]) => isErased(element)).map(([id]) => id);
    if (!isFull || erased.length === 0) return;
    client.doc.transact(() => erased.forEach((id) => client.elements.delete(id)), MAKING_ROOM);
  };
  const deleteErasedSoon = (): void => {
    if (!isFull || isDue) return;
    isDue = true;
    queueMicrotask(deleteErased); // not within the transaction that marked them
  };

  client.on('canvas_refused', ({ code }) => {
    isFull = isFull || code === 'canvas_full';
    deleteErasedSoon();
  });
  client.on('status', ({ status }) => {
    if (status === 'restored') isFull = false;
  });
  client.elements.observeDeep(deleteErasedSoon);
}
