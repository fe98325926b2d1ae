export { MovableSocket } from './movable-socket.js';
export type { MovableOptions, MoveOutcome } from './options.js';
