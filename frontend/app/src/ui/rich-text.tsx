import { memo } from 'react';
import { parseMarkup, type Block, type Inline } from '../models/markup.js';

interface Props {
  text: string;
  /** The known names, as `mentionOf` makes it. */
  mention: RegExp | null;
  /** This user's name with its `@`. */
  self: string;
}

/** A message's text with its markup. */
export const RichText = memo(function RichText({ text, mention, self }: Props) {
  return parseMarkup(text, mention).map((block, at) => <BlockView key={at} block={block} self={self} />);
});

function BlockView({ block, self }: { block: Block; self: string }) {
  if (block.kind === 'code') return <pre tabIndex={0}>{block.text}</pre>;
  if (block.kind === 'paragraph') {
    return (
      <p>
        <Inlines of={block.children} self={self} />
      </p>
    );
  }
  const items = block.items.map((item, at) => (
    <li key={at}>
      <Inlines of={item} self={self} />
    </li>
  ));
  return block.first === null ? <ul>{items}</ul> : <ol start={block.first}>{items}</ol>;
}

function Inlines({ of, self }: { of: Inline[]; self: string }) {
  return of.map((inline, at) => <InlineView key={at} inline={inline} self={self} />);
}

function InlineView({ inline, self }: { inline: Inline; self: string }) {
  switch (inline.kind) {
    case 'text':
      return inline.text;
    case 'code':
      return <code>{inline.text}</code>;
    case 'mention':
      return <span className={inline.text === self ? 'mention self' : 'mention'}>{inline.text}</span>;
    case 'link':
      return (
        <a href={inline.href} target="_blank" rel="noopener noreferrer nofollow">
          {inline.text}
        </a>
      );
    case 'bold':
      return (
        <strong>
          <Inlines of={inline.children} self={self} />
        </strong>
      );
    case 'italic':
      return (
        <em>
          <Inlines of={inline.children} self={self} />
        </em>
      );
  }
}
