/** What the pages share: making elements, and what a user chose for all of them. */
export * from './dom.js';
export * from './chosen.js';
