export { IsshoniClient } from './client.js';
export type { ClientEvents, ClientOptions, Status, Unsaved } from './options.js';
export type { ChatEvent, Position, ServerIdentity } from './messages.js';
export { MAX_TEXT_CHARACTERS } from './messages.js';
export type { OutboxMessage, OutboxState } from './outbox.js';
export { isIdentifier } from './identifiers.js';
export { memoryStorage, webStorage, type SessionStore, type StoredSession } from './storage.js';
