/** The little markup of a message: bold, italic, code, lists, links and mentions. Never HTML. */

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'code'; text: string }
  | { kind: 'link'; text: string; href: string }
  | { kind: 'mention'; text: string }
  | { kind: 'bold' | 'italic'; children: Inline[] };

export type Block =
  | { kind: 'paragraph'; children: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'list'; first: number | null; items: Inline[][] };

/** Characters without which a text is one run of plain text. */
const SPECIAL = /[*_`@]|:\/\/|mailto:|^ {0,3}(?:-|\d{1,9}[.)]) /im;
const FENCE = /^ {0,3}```/;
const ITEM = /^ {0,3}(?:[-*]|(\d{1,9})[.)]) +(\S.*)$/;

/**
 * Return the blocks of a message, in time linear in its length.
 *
 * `mention` is a sticky expression of the known names with their `@`, null for none.
 */
export function parseMarkup(text: string, mention: RegExp | null): Block[] {
  if (!SPECIAL.test(text)) return [{ kind: 'paragraph', children: [{ kind: 'text', text }] }];
  const blocks: Block[] = [];
  const lines = text.split('\n');
  const lastFence = lines.findLastIndex((line) => line.trim() === '```');
  let paragraph: string[] = [];
  const endParagraph = (): void => {
    const joined = paragraph.join('\n').replace(/^\n+/, '').trimEnd();
    if (joined !== '') blocks.push({ kind: 'paragraph', children: parseInline(joined, mention) });
    paragraph = [];
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at]!;
    if (FENCE.test(line) && lastFence > at) {
      endParagraph();
      const first = at + 1;
      do at += 1;
      while (lines[at]!.trim() !== '```');
      const code = lines.slice(first, at).join('\n');
      // A message of nothing but fences is one empty box, not hundreds.
      if (code.trim() !== '' || blocks.length === 0) blocks.push({ kind: 'code', text: code });
      continue;
    }
    const item = ITEM.exec(line);
    if (item === null) paragraph.push(line);
    else {
      endParagraph();
      addItem(blocks, at > 0 && ITEM.test(lines[at - 1]!), item, mention);
    }
  }
  endParagraph();
  return blocks;
}

function addItem(blocks: Block[], follows: boolean, [, digits, text]: RegExpExecArray, mention: RegExp | null): void {
  const first = digits === undefined ? null : Number(digits);
  const last = blocks.at(-1);
  const children = parseInline(text!, mention);
  if (follows && last?.kind === 'list' && (last.first === null) === (first === null)) last.items.push(children);
  else blocks.push({ kind: 'list', first, items: [children] });
}

type Mark = '**' | '__' | '*' | '_';

interface Frame {
  mark: Mark | null;
  children: Inline[];
}

const isWord = (character: string | undefined): boolean => character !== undefined && /[A-Za-z0-9]/.test(character);
const isSpace = (character: string | undefined): boolean => character === undefined || /\s/.test(character);

/** Parse what stands in one paragraph. Marks do not nest in themselves, so the depth is at most four. */
function parseInline(text: string, mention: RegExp | null): Inline[] {
  const frames: Frame[] = [{ mark: null, children: [] }];
  const codeEnds = new CodeEnds(text);
  let plainFrom = 0;
  let at = 0;
  const add = (inline: Inline, length: number): void => {
    addText(frames.at(-1)!.children, text.slice(plainFrom, at));
    frames.at(-1)!.children.push(inline);
    at += length;
    plainFrom = at;
  };
  while (at < text.length) {
    const character = text[at]!;
    if (character === '`') {
      const run = runLength(text, at);
      const end = codeEnds.after(at, run);
      if (end === null) at += run;
      else add({ kind: 'code', text: text.slice(at + run, end) }, end + run - at);
    } else if (character === '*' || character === '_') {
      const run = runLength(text, at);
      addText(frames.at(-1)!.children, text.slice(plainFrom, at));
      applyMarks(frames, text, at, run);
      at += run;
      plainFrom = at;
    } else {
      const found = isWord(text[at - 1]) ? null : (readLink(text, at) ?? readMention(text, at, mention));
      if (found === null) at += 1;
      else add(found, found.text.length);
    }
  }
  addText(frames.at(-1)!.children, text.slice(plainFrom));
  while (frames.length > 1) unwind(frames);
  return frames[0]!.children;
}

function addText(children: Inline[], text: string): void {
  if (text === '') return;
  const last = children.at(-1);
  if (last?.kind === 'text') last.text += text;
  else children.push({ kind: 'text', text });
}

function runLength(text: string, at: number): number {
  let end = at + 1;
  while (text[end] === text[at]) end += 1;
  return end - at;
}

/** Open or close what a run of `*` or `_` marks; a run that marks nothing is text. */
function applyMarks(frames: Frame[], text: string, at: number, run: number): void {
  const character = text[at]!;
  const [before, after] = [text[at - 1], text[at + run]];
  const opens = !isSpace(after) && !isWord(before);
  const closes = !isSpace(before) && !isWord(after);
  const [one, two] = [character, character + character] as [Mark, Mark];
  const isInnermost = frames.at(-1)!.mark === one;
  const marks: Mark[] = run > 3 ? [] : run < 3 ? [run === 1 ? one : two] : isInnermost ? [one, two] : [two, one];
  if (marks.length === 0) return addText(frames.at(-1)!.children, character.repeat(run));
  for (const mark of marks) {
    if (closes && frames.some((frame) => frame.mark === mark)) close(frames, mark);
    else if (opens && !frames.some((frame) => frame.mark === mark)) frames.push({ mark, children: [] });
    else addText(frames.at(-1)!.children, mark);
  }
}

function close(frames: Frame[], mark: Mark): void {
  while (frames.at(-1)!.mark !== mark) unwind(frames);
  const { children } = frames.pop()!;
  if (children.length === 0) return addText(frames.at(-1)!.children, mark + mark);
  frames.at(-1)!.children.push({ kind: mark.length === 2 ? 'bold' : 'italic', children });
}

/** Turn the innermost mark, which nothing closed, back into text. */
function unwind(frames: Frame[]): void {
  const { mark, children } = frames.pop()!;
  const outer = frames.at(-1)!.children;
  addText(outer, mark!);
  for (const child of children) {
    if (child.kind === 'text') addText(outer, child.text);
    else outer.push(child);
  }
}

/** Where code ends: at a run of as many backticks as began it. */
class CodeEnds {
  private runs: Map<number, number[]> | null = null;

  constructor(private readonly text: string) {}

  /** Return where the next run of `length` begins after the one at `at`; null if there is none. */
  after(at: number, length: number): number | null {
    const starts = (this.runs ??= this.collect()).get(length) ?? [];
    while (starts.length > 0 && starts.at(-1)! <= at) starts.pop();
    return starts.at(-1) ?? null;
  }

  private collect(): Map<number, number[]> {
    const runs = new Map<number, number[]>();
    for (const { 0: run, index } of this.text.matchAll(/`+/g)) {
      const starts = runs.get(run.length);
      if (starts === undefined) runs.set(run.length, [index]);
      else starts.push(index);
    }
    for (const starts of runs.values()) starts.reverse();
    return runs;
  }
}

/** An address; what follows an ASCII host in Hangul is a particle, not part of it. */
const ADDRESS = /(?:https?:\/\/(?:[A-Za-z0-9.:-]*[A-Za-z0-9](?=\p{Script=Hangul})|[^\s<>"]+)|mailto:[^\s<>"]+)/iuy;
const SCHEMES = new Set(['http:', 'https:', 'mailto:']);

/** Return the link at a place; an address that is none is text. */
function readLink(text: string, at: number): Extract<Inline, { text: string }> | null {
  if (!/[hm]/i.test(text[at]!)) return null;
  ADDRESS.lastIndex = at;
  const found = ADDRESS.exec(text)?.[0];
  if (found === undefined) return null;
  const address = trimAddress(found);
  const url = URL.canParse(address) ? new URL(address) : null;
  // All of it at once: to look at each of its characters again would take quadratic time.
  if (url === null || !SCHEMES.has(url.protocol)) return { kind: 'text', text: found };
  return { kind: 'link', text: address, href: url.href };
}

/** Leave out punctuation that belongs to the sentence, and brackets that opened before the address. */
function trimAddress(address: string): string {
  let open = 0;
  for (const character of address) open += character === '(' ? 1 : character === ')' ? -1 : 0;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1]!;
    if (last === ')') {
      if (open >= 0) break;
      open += 1;
    } else if (!/[.,;:!?'"*_~\]}…。、」』]/.test(last)) break;
  }
  return address.slice(0, end);
}

function readMention(text: string, at: number, mention: RegExp | null): Extract<Inline, { text: string }> | null {
  if (mention === null || text[at] !== '@') return null;
  mention.lastIndex = at;
  const found = mention.exec(text)?.[0];
  return found === undefined ? null : { kind: 'mention', text: found };
}
