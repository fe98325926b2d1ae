import { h, icon } from '@isshoni/paper';
import { t } from '../i18n.js';
import type { Drawing } from '../models/drawing.js';
import { COLOURS, WIDTHS } from '../models/stroke.js';

/** What is in the hand. */
export interface Tools {
  kind: 'pen' | 'eraser';
  colour: string;
  width: number;
}

const PEN = 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3';
const ERASER = 'M9 19l-5-5L14 4l6 6-9 9zM9 9l6 6M9 19h11';
const UNDO = 'M8 5L4 9l4 4M4 9h9a6 5 0 0 1 0 10h-3';
const REDO = 'M16 5l4 4-4 4M20 9h-9a6 5 0 0 0 0 10h3';

type Choice<Value> = [value: Value, label: string, content: Node];

export function toolbar(tools: Tools, drawing: Drawing): HTMLElement {
  const kinds: Choice<Tools['kind']>[] = [
    ['pen', t('pen'), icon(PEN)],
    ['eraser', t('eraser'), icon(ERASER)],
  ];
  const widths = (Object.keys(WIDTHS) as (keyof typeof WIDTHS)[]).map(
    (name): Choice<number> => [WIDTHS[name], t(name), h('span', { class: `nib ${name}` })],
  );
  const colours = COLOURS.map((name): Choice<string> => [name, t(name), h('span', { class: `drop ${name}` })]);
  return h(
    'div',
    { class: 'toolbar', role: 'toolbar', 'aria-label': t('tools') },
    radios('kind', t('tools'), kinds, tools.kind, (kind) => (tools.kind = kind)),
    radios('colour', t('colour'), colours, tools.colour, (colour) => (tools.colour = colour)),
    radios('width', t('width'), widths, tools.width, (width) => (tools.width = width)),
    h(
      'div',
      { class: 'choices' },
      action(t('undo'), UNDO, () => drawing.undo()),
      action(t('redo'), REDO, () => drawing.redo()),
    ),
  );
}

/** A group of which one is chosen: native radio buttons, so that the keyboard just works. */
function radios<Value extends string | number>(
  name: string,
  label: string,
  choices: Choice<Value>[],
  chosen: Value,
  choose: (value: Value) => void,
): HTMLElement {
  const options = choices.map(([value, title, content]) =>
    h(
      'label',
      { class: 'choice', title },
      h('input', {
        type: 'radio',
        name,
        class: 'unseen',
        checked: value === chosen,
        'aria-label': title,
        onchange: () => choose(value),
      }),
      content,
    ),
  );
  return h('div', { class: 'choices', role: 'radiogroup', 'aria-label': label }, ...options);
}

const action = (label: string, path: string, act: () => void): HTMLElement =>
  h('button', { type: 'button', class: 'choice', title: label, 'aria-label': label, onclick: act }, icon(path));

/** Undo and redo from the keyboard, but not while someone writes. */
export function listenForUndo(drawing: Drawing): () => void {
  const listener = (event: KeyboardEvent): void => {
    const writing = event.target instanceof Element && event.target.closest('textarea, input[type=text]');
    if (writing || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z') return;
    event.preventDefault();
    if (event.shiftKey) drawing.redo();
    else drawing.undo();
  };
  addEventListener('keydown', listener);
  return () => removeEventListener('keydown', listener);
}
