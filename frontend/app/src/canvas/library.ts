import { useHandleLibrary } from '@excalidraw/excalidraw';
import type { ExcalidrawImperativeAPI, LibraryItems, LibraryItemsSource } from '@excalidraw/excalidraw/types';
import { useMemo } from 'react';
import type * as Y from 'yjs';
import { t } from '../i18n.js';
import { BrowserRecords } from '../models/browser-records.js';
import { readShapes, shareShapes } from '../models/shared-library.js';

const LARGEST_BYTES = 4 * 1024 * 1024;
const MINE = 'mine';

const records = new BrowserRecords<{ id: string; libraryItems: LibraryItems }>('library');

/** Keep the user's collection of shapes in this browser, for all sessions; `onFault` is called when it is too large. */
export function useKeptLibrary(api: ExcalidrawImperativeAPI | null, onFault: (text: string) => void): void {
  const adapter = useMemo(
    () => ({
      load: async () => (await records.all()).find(({ id }) => id === MINE) ?? null,
      save: async ({ libraryItems }: { libraryItems: LibraryItems }) => {
        const fits = JSON.stringify(libraryItems).length <= LARGEST_BYTES;
        if (!fits || !(await records.put({ id: MINE, libraryItems }))) onFault(t('libraryFull'));
      },
    }),
    [onFault],
  );
  // No address may add shapes: the page loads nothing from other hosts.
  useHandleLibrary({ excalidrawAPI: api, validateLibraryUrl: () => false, adapter });
}

/** Add the shapes of a file to the user's collection, and show it; throws if the file has none. */
export async function addToLibrary(api: ExcalidrawImperativeAPI | null, libraryItems: LibraryItemsSource): Promise<void> {
  await api?.updateLibrary({ libraryItems, merge: true, openLibraryMenu: true, defaultStatus: 'unpublished' });
}

/** Share the user's collection with the session; returns how many shapes were shared. */
export async function shareLibrary(api: ExcalidrawImperativeAPI, library: Y.Map<unknown>): Promise<number> {
  const mine = await api.updateLibrary({ libraryItems: (items) => items });
  return shareShapes(library, mine);
}

/** Add the session's shapes to the user's collection, and show it. */
export async function takeLibrary(api: ExcalidrawImperativeAPI, library: Y.Map<unknown>): Promise<void> {
  const items = readShapes(library).map((shape) => ({ ...shape, status: 'unpublished' as const }));
  return addToLibrary(api, items as unknown as LibraryItems);
}
