import { expect, test } from 'vitest';
import { parseMarkup, type Inline } from '../src/models/markup.js';
import { begunAt, completions, mentionOf, mentions } from '../src/models/mentions.js';

/** Write inlines as XML: a message never has any. */
const write = (inlines: Inline[]): string =>
  inlines
    .map((inline) => {
      if (inline.kind === 'text') return inline.text;
      if (inline.kind === 'link') return `<a ${inline.href}>${inline.text}</a>`;
      const inside = 'children' in inline ? write(inline.children) : inline.text;
      return `<${inline.kind}>${inside}</${inline.kind}>`;
    })
    .join('');

function parse(text: string, names: string[] = []): string {
  const blocks = parseMarkup(text, mentionOf(names));
  return blocks
    .map((block) => {
      if (block.kind === 'paragraph') return write(block.children);
      if (block.kind === 'code') return `<pre>${block.text}</pre>`;
      return `<list ${block.first}>${block.items.map((item) => `<item>${write(item)}</item>`).join('')}</list>`;
    })
    .join('¶');
}

test.each([
  ['plain words', 'plain words'],
  ['**bold** and *italic* and _italic_ and __bold__', '<bold>bold</bold> and <italic>italic</italic> and <italic>italic</italic> and <bold>bold</bold>'],
  ['***both***', '<bold><italic>both</italic></bold>'],
  ['**bold with *italic* inside**', '<bold>bold with <italic>italic</italic> inside</bold>'],
  ['**굵게**는 조사와 함께', '<bold>굵게</bold>는 조사와 함께'],
  ['`code *as it is*`', '<code>code *as it is*</code>'],
  ['``a ` inside``', '<code>a ` inside</code>'],
  ['2*3*4 and snake_case_name', '2*3*4 and snake_case_name'],
  ['a * b * c', 'a * b * c'],
  ['*open', '*open'],
  ['**open *and closed*', '**open <italic>and closed</italic>'],
  ['**crossed *marks** here*', '<bold>crossed *marks</bold> here*'],
  ['`open', '`open'],
  ['****', '****'],
])('marks: %s', (text, expected) => expect(parse(text)).toBe(expected));

test.each([
  ['https://example.com', '<a https://example.com/>https://example.com</a>'],
  ['see http://example.com/a_b_c?x=1#y.', 'see <a http://example.com/a_b_c?x=1#y>http://example.com/a_b_c?x=1#y</a>.'],
  ['(https://en.wikipedia.org/wiki/A_(b))', '(<a https://en.wikipedia.org/wiki/A_(b)>https://en.wikipedia.org/wiki/A_(b)</a>)'],
  ['**https://example.com/x**', '<bold><a https://example.com/x>https://example.com/x</a></bold>'],
  ['mailto:ann@example.com!', '<a mailto:ann@example.com>mailto:ann@example.com</a>!'],
  ['https://example.com을 보세요', '<a https://example.com/>https://example.com</a>을 보세요'],
  ['javascript:alert(1)', 'javascript:alert(1)'],
  ['data:text/html,<script>alert(1)</script>', 'data:text/html,<script>alert(1)</script>'],
  ['xhttps://example.com', 'xhttps://example.com'],
  ['https://', 'https://'],
  ['http://[', 'http://['],
  ['[click](javascript:alert(1))', '[click](javascript:alert(1))'],
])('links: %s', (text, expected) => expect(parse(text)).toBe(expected));

test.each([
  ['- one\n- two', '<list null><item>one</item><item>two</item></list>'],
  ['3. three\n4. four', '<list 3><item>three</item><item>four</item></list>'],
  ['before\n- **one**\nafter', 'before¶<list null><item><bold>one</bold></item></list>¶after'],
  ['- one\n1. two', '<list null><item>one</item></list>¶<list 1><item>two</item></list>'],
  ['```js\nconst a = `*b*`;\n```\nafter', '<pre>const a = `*b*`;</pre>¶after'],
  ['```\nnever closed *so*', '```\nnever closed <italic>so</italic>'],
  ['one\n\n*two*', 'one\n\n<italic>two</italic>'],
  ['-', '-'],
])('blocks: %j', (text, expected) => expect(parse(text)).toBe(expected));

test.each([
  ['*'],
  ['_'],
  ['`'],
  ['``` '],
  ['```\n'],
  ['**a '],
  ['*a **b '],
  ['[('],
  ['@'],
  ['http://['],
  ['https://a.b)'],
  ['mailto:'],
  ['- '],
  ['1. 1. '],
  ['`a``b'],
  ['_*a* '],
  ['<script>'],
])('hostile: a very long text of %j takes linear time and keeps its characters', (part) => {
  // 400,000 characters in quadratic time would outlast any patience.
  const text = part.repeat(400_000 / part.length);
  const blocks = parseMarkup(text, mentionOf(['Ann', 'a', 'b']));
  const depth = (inlines: Inline[]): number => Math.max(0, ...inlines.slice(0, 1000).map((inline) => ('children' in inline ? 1 + depth(inline.children) : 0)));
  for (const block of blocks) if (block.kind === 'paragraph') expect(depth(block.children)).toBeLessThanOrEqual(4);
});

test('fences with nothing in them are one box at most', () => {
  expect(parseMarkup('```\n```\n'.repeat(400), null)).toEqual([{ kind: 'code', text: '' }]);
});

test('a mention is a known name, the longest that fits', () => {
  expect(parse('@Ann Lee, @Ann and @Anna', ['Ann', 'Ann Lee'])).toBe('<mention>@Ann Lee</mention>, <mention>@Ann</mention> and @Anna');
  expect(parse('@지민님 안녕', ['지민'])).toBe('<mention>@지민</mention>님 안녕');
  expect(parse('mail ann@Ann.example', ['Ann'])).toBe('mail ann@Ann.example');
  expect(parse('@a.b @axb', ['a.b'])).toBe('<mention>@a.b</mention> @axb');
  expect(mentions('hey @Ann!', 'Ann')).toBe(true);
  expect(mentions('hey @Anna, ann@Ann', 'Ann')).toBe(false);
  expect(mentions('@', '')).toBe(false);
});

test('a mention that is typed is completed from the names', () => {
  expect(begunAt('hi @an', 6)).toEqual({ from: 3, part: 'an' });
  expect(begunAt('hi @Ann Le', 10)).toEqual({ from: 3, part: 'Ann Le' });
  expect(begunAt('ann@ex', 6)).toBeNull();
  expect(begunAt('@ no', 4)).toBeNull();
  expect(begunAt('no', 2)).toBeNull();
  expect(completions(['Joanna', 'Ann', 'Bo', 'anton'], 'an')).toEqual(['Ann', 'anton', 'Joanna']);
});
