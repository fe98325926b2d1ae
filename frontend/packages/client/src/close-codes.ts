/** Close codes of docs/protocol.md that a client acts on. */
export const CLOSE = {
  normal: 1000,
  serviceRestart: 1012,
  resume: 4000,
  unauthenticated: 4401,
  deleted: 4410,
  otherProtocol: 4426,
} as const;

/** True if a connection closed with `code` may be opened again. */
export function shouldComeBack(code: number): boolean {
  return code < 4400 || code > 4499;
}

/** True if the server asked us to come back without a wait. */
export function shouldComeBackAtOnce(code: number): boolean {
  return code === CLOSE.serviceRestart || code === CLOSE.resume;
}
