const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Return a new, unique client_id (80 random bits). */
export function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `c-${[...bytes].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')}`;
}

/** True if `text` may name a session or a client. */
export function isIdentifier(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,64}$/.test(text);
}
