const SESSION = /^(.*\/)s\/([A-Za-z0-9_-]{1,64})\/?$/;

/** What the page's path says: the base path of its server, and the id of its session, if any. */
export interface Place {
  /** `/`, or the path below which a proxy serves the page, like `/draw/`. */
  root: string;
  sessionId: string | undefined;
}

export function findPlace(path: string): Place {
  const [, root, sessionId] = SESSION.exec(path) ?? [];
  return { root: root ?? path.slice(0, path.lastIndexOf('/') + 1), sessionId };
}

/** The place of this page. */
export const place = findPlace(location.pathname);
