export { ElementsBinding } from './binding.js';
export type { CanvasElement, Editor } from './element.js';
export { toElement } from './schema.js';
