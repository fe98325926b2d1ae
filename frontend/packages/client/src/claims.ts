/** A busy tab may be late with its answer, so it is asked more than once. */
const QUESTIONS = 4;
const QUESTION_MS = 50;

type Note = { kind: 'mine?'; nonce: number } | { kind: 'taken' };

/** Releases what was claimed. */
export type Release = () => void;

/** True if the browser offers locks between tabs (only on pages with TLS). */
export function canLock(): boolean {
  return (globalThis.navigator?.locks as LockManager | undefined) !== undefined;
}

/**
 * Claim a name among all tabs of this browser, until it is released or the tab is gone.
 *
 * Returns null when another tab has it. `patienceMs`: a tab that is just being reloaded may
 * still seem to have it.
 */
export function claim(name: string, patienceMs = 0): Promise<Release | null> {
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  return locks === undefined ? claimByChannel(name) : claimByLock(locks, name, patienceMs);
}

function claimByLock(locks: LockManager, name: string, patienceMs: number): Promise<Release | null> {
  return new Promise((resolve) => {
    const options = patienceMs > 0 ? { signal: AbortSignal.timeout(patienceMs) } : { ifAvailable: true };
    locks
      .request(name, options, (lock) => {
        if (lock === null) return resolve(null);
        // Held for as long as this promise is not fulfilled.
        return new Promise<void>((release) => resolve(release));
      })
      .catch(() => resolve(null));
  });
}

/** Without locks (pages without TLS): the tab that has the name answers. */
function claimByChannel(name: string): Promise<Release | null> {
  const channel = new BroadcastChannel(name);
  const nonce = Math.random();
  let owned: boolean | null = null;
  return new Promise((resolve) => {
    const decide = (answer: boolean): void => {
      if (owned !== null) return;
      owned = answer;
      if (!owned) channel.close();
      resolve(owned ? () => channel.close() : null);
    };
    channel.onmessage = ({ data }: MessageEvent<Note>) => {
      if (data.kind === 'taken') decide(false);
      // Two that ask at once: the smaller nonce wins.
      else if (owned === true || nonce < data.nonce) channel.postMessage({ kind: 'taken' } satisfies Note);
    };
    const ask = (questions: number): void => {
      if (owned !== null) return;
      if (questions === 0) return decide(true);
      channel.postMessage({ kind: 'mine?', nonce } satisfies Note);
      setTimeout(() => ask(questions - 1), QUESTION_MS);
    };
    ask(QUESTIONS);
  });
}
