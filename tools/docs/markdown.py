"""Read Markdown: its code blocks, links and anchors, as GitHub and the site understand them."""

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^( *)(```+|~~~+) *([\w+-]*)")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]*(?:\([^()]*\))?[^()\s]*)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$")
_CODE_SPAN = re.compile(r"(`+)(?:.*?)\1", re.DOTALL)
_ITEM = re.compile(r" {0,3}([-*+]|\d+[.)]) +\S")


@dataclass(frozen=True)
class CodeBlock:
    """A block of code: fenced with a language, or indented without one."""

    line: int
    """Of its first line of code, from 1."""
    language: str
    text: str


@dataclass(frozen=True)
class Line:
    """A line of a document, and whether it is code."""

    number: int
    text: str
    is_code: bool
    opens: str | None = None
    """The language, if this line opens a fenced block."""
    indented: bool = False


def read_lines(text: str) -> list[Line]:
    """Return the lines of a document; fences count as code."""
    lines: list[Line] = []
    fence, in_list, blank = "", False, True
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if fence:
            lines.append(Line(number, line, is_code=True))
            if match and match[2].startswith(fence) and not match[3]:
                fence = ""
            continue
        if match:
            fence = match[2]
            lines.append(Line(number, line, is_code=True, opens=match[3]))
            continue
        indented = line.startswith("    ") and not in_list and (blank or _continues(lines))
        lines.append(Line(number, line, is_code=indented, indented=indented))
        blank = not line.strip()
        if not blank and not indented:
            in_list = bool(_ITEM.match(line)) or (in_list and line.startswith(" "))
    return lines


def _continues(lines: list[Line]) -> bool:
    return bool(lines) and lines[-1].indented


def find_code_blocks(text: str) -> list[CodeBlock]:
    """Return the code blocks of a document in their order."""
    blocks: list[CodeBlock] = []
    language: str | None = None
    start, rows = 0, list[str]()
    for line in [*read_lines(text), Line(0, "", is_code=False)]:
        if line.is_code and line.opens is not None:
            language, start, rows = line.opens, line.number + 1, []
        elif language is not None and line.is_code and _FENCE.match(line.text):
            blocks.append(CodeBlock(start, language, "\n".join(rows)))
            language, rows = None, []
        elif language is not None:
            rows.append(line.text.strip("\n"))
        elif line.indented:
            start = start if rows else line.number
            rows.append(line.text[4:])
        elif rows and line.text.strip() == "" and line.number:
            rows.append("")
        elif rows:
            blocks.append(CodeBlock(start, "", "\n".join(rows).rstrip()))
            rows = []
    return blocks


def find_code_spans(text: str) -> list[tuple[int, str]]:
    """Return each piece of code within a line of text, with the number of its line."""
    return [
        (line.number, match[1])
        for line in read_lines(text)
        if not line.is_code
        for match in re.finditer(r"(?<!`)`([^`]+)`(?!`)", line.text)
    ]


@dataclass(frozen=True)
class Link:
    """A link or an image of a document."""

    line: int
    label: str
    target: str


def find_links(text: str) -> list[Link]:
    """Return the links and images outside of code."""
    links = []
    for line in read_lines(_without_code_spans(text)):
        if not line.is_code:
            links += [Link(line.number, m[2], m[3]) for m in _LINK.finditer(line.text)]
    return links


def _without_code_spans(text: str) -> str:
    """Blank what is inside of backticks; fences and line numbers stay."""

    def blank(match: re.Match[str]) -> str:
        return match[0] if "\n" in match[0] else f"`{' ' * (len(match[0]) - 2)}`"

    return "\n".join(
        line if _FENCE.match(line) else _CODE_SPAN.sub(blank, line) for line in text.split("\n")
    )


def find_anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings."""
    anchors: set[str] = set()
    for line in read_lines(text):
        match = None if line.is_code else _HEADING.match(line.text)
        if match is not None:
            slug, name, count = slugify(match[1]), slugify(match[1]), 0
            while name in anchors:
                count += 1
                name = f"{slug}-{count}"
            anchors.add(name)
    return anchors


def slugify(heading: str) -> str:
    """Return the anchor of a heading: lower case, no punctuation, dashes for spaces."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def with_blank_lines_before_lists(text: str) -> str:
    """Return the text with a blank line between a paragraph and a list, as the site needs it."""
    rows: list[str] = []
    before = ""
    for line in read_lines(text):
        starts = not line.is_code and _ITEM.match(line.text) and not line.text.startswith(" ")
        if starts and before.strip() and not before.startswith(" ") and not _ITEM.match(before):
            rows.append("")
        rows.append(line.text)
        before = line.text
    return "\n".join(rows) + "\n"
