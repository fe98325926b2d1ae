const SESSION = /^(.*\/)s\/([A-Za-z0-9_-]{1,64})\/?$/;

/** The place of a page: the base path of its server, and the session that it shows, if any. */
export interface Place {
  /** `/`, or what a proxy puts before it, as `/draw/`. */
  root: string;
  sessionId: string | undefined;
}

export function findPlace(path: string): Place {
  const [, root, sessionId] = SESSION.exec(path) ?? [];
  return { root: root ?? path.slice(0, path.lastIndexOf('/') + 1), sessionId };
}

/** Where this page is. */
export const place = findPlace(location.pathname);
