import { useState, type KeyboardEvent, type RefObject } from 'react';
import { t } from '../i18n.js';
import { begunAt, completions, type Begun } from '../models/mentions.js';

const LIST_ID = 'mentions';

/** The names that complete what is typed after an `@`, and which of them is chosen. */
export interface Mentions {
  names: string[];
  at: number;
  look: () => void;
  close: () => void;
  choose: (name: string) => void;
  /** Handle a key of the input; true if it was for the list. */
  handleKey: (event: KeyboardEvent) => boolean;
  /** For the input, so that a screen reader follows the choice. */
  attributes: Record<string, string | undefined>;
}

export function useMentions(input: RefObject<HTMLTextAreaElement | null>, knownNames: () => string[], write: (text: string) => void): Mentions {
  const [begun, setBegun] = useState<Begun | null>(null);
  const [at, setAt] = useState(0);
  const names = begun === null ? [] : completions(knownNames(), begun.part);
  const close = (): void => setBegun(null);
  const look = (): void => {
    const { value, selectionStart, selectionEnd } = input.current!;
    const now = selectionStart === selectionEnd ? begunAt(value, selectionStart) : null;
    if (now?.from !== begun?.from || now?.part !== begun?.part) setAt(0);
    setBegun(now);
  };
  const choose = (name: string): void => {
    const field = input.current!;
    field.setRangeText(`@${name} `, begun!.from, begun!.from + 1 + begun!.part.length, 'end');
    write(field.value);
    field.focus();
    close();
  };
  const handleKey = (event: KeyboardEvent): boolean => {
    if (names.length === 0) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) setAt((at + step + names.length) % names.length);
    else if (event.key === 'Escape') close();
    else if (event.key === 'Tab' || (event.key === 'Enter' && !event.shiftKey)) choose(names[at]!);
    else return false;
    event.preventDefault();
    return true;
  };
  const attributes = {
    'aria-autocomplete': 'list',
    'aria-controls': names.length > 0 ? LIST_ID : undefined,
    'aria-activedescendant': names.length > 0 ? `${LIST_ID}-${at}` : undefined,
  };
  return { names, at, look, close, choose, handleKey, attributes };
}

/** The list itself, above the input. */
export function MentionList({ mentions: { names, at, choose } }: { mentions: Mentions }) {
  if (names.length === 0) return null;
  return (
    <ul id={LIST_ID} className="mentions" role="listbox" aria-label={t('mentionSomeone')}>
      {names.map((name, index) => (
        <li
          key={name}
          id={`${LIST_ID}-${index}`}
          role="option"
          aria-selected={index === at}
          // The input keeps the focus.
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => choose(name)}
        >
          {name}
        </li>
      ))}
    </ul>
  );
}
