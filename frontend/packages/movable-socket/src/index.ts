export { isshoniCanvas } from './isshoni.js';
export { MovableSocket } from './movable-socket.js';
export type { MovableOptions, MoveOutcome } from './options.js';
