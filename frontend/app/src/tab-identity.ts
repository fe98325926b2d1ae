const ANSWER_WITHIN_MS = 150;

type Note = { kind: 'mine?'; nonce: number } | { kind: 'taken' };

/**
 * Find out whether a stored client_id is this tab's own, and keep it so.
 *
 * A duplicated tab starts with a copy of sessionStorage. Two tabs that number their
 * messages under one client_id would each pass for a resend of the other, and lose
 * messages; so the copy asks, and the tab that was first answers.
 */
export async function claimClientId(clientId: string): Promise<boolean> {
  const channel = new BroadcastChannel(`isshoni:${clientId}`);
  const nonce = Math.random();
  let owned: boolean | null = null;
  return new Promise((resolve) => {
    const decide = (answer: boolean): void => {
      owned ??= answer;
      if (!owned) channel.close();
      resolve(owned);
    };
    channel.onmessage = ({ data }: MessageEvent<Note>) => {
      if (data.kind === 'taken') decide(false);
      // Two that ask at once: the smaller nonce wins.
      else if (owned === true || nonce < data.nonce) channel.postMessage({ kind: 'taken' } satisfies Note);
    };
    channel.postMessage({ kind: 'mine?', nonce } satisfies Note);
    setTimeout(() => decide(true), ANSWER_WITHIN_MS);
  });
}
