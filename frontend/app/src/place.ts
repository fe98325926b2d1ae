const SESSION = /^(.*\/)s\/([A-Za-z0-9_-]{1,64})\/?$/;
const BAD_NAME = /^(.*\/)s\/([^/]+)\/?$/;

/** What the page's path says: the base path of its server, and the id of its session, if any. */
export interface Place {
  /** `/`, or the path below which a proxy serves the page, like `/draw/`. */
  root: string;
  sessionId: string | undefined;
  /** What is there instead, if it cannot be the id of a session. */
  badName?: string;
}

export function findPlace(path: string): Place {
  const [, root, sessionId] = SESSION.exec(path) ?? [];
  const [, above, name] = BAD_NAME.exec(path) ?? [];
  if (sessionId === undefined && above !== undefined) return { root: above, sessionId, badName: decode(name!) };
  return { root: root ?? path.slice(0, path.lastIndexOf('/') + 1), sessionId };
}

/** Return a part of a path as a user wrote it. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The place of this page. */
export const place = findPlace(location.pathname);
