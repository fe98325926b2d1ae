/**
 * Return the names of the folders that were dropped.
 *
 * Only during the event: the browser empties it afterwards. Among its files, a folder is a file that cannot be read.
 */
export function foldersIn(data: DataTransfer | null): string[] {
  return [...(data?.items ?? [])].flatMap((item) => {
    const entry = item.kind === 'file' ? item.webkitGetAsEntry() : null;
    return entry?.isDirectory === true ? [entry.name] : [];
  });
}
