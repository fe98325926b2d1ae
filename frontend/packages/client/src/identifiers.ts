const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Make a client_id that nobody else has (80 bits). */
export function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `c-${[...bytes].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')}`;
}

/** Say whether `text` may name a session or a client. */
export function isIdentifier(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text);
}
