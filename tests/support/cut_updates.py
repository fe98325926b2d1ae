"""What two authors with Yjs 13 send who cut a character in two, and what comes of it.

Ann types an emoji, Bo types an x between its two halves, Ann deletes the second half; then Ann adds
an element, and types a y at the start.
"""

from typing import Any

import pycrdt

UPDATES = [
    bytes.fromhex(update)
    for update in (
        "010101000401047465787404f09f988000",
        "01010200c401000101017800",
        "000101010101",
        "01010102280108656c656d656e7473056c61746572017601016e7d0100",
        "01010103440100017900",
    )
]
TEXT = "y\ufffdx"
ELEMENTS = {"later": {"n": 1}}
CLOCKS = {1: 4, 2: 1}


class Reader:
    """A newcomer's document."""

    def __init__(self) -> None:
        self.doc: pycrdt.Doc[Any] = pycrdt.Doc()
        self._text: pycrdt.Text = self.doc.get("text", type=pycrdt.Text)
        self._elements: pycrdt.Map[Any] = self.doc.get("elements", type=pycrdt.Map)

    def read(self) -> tuple[str, Any]:
        """Return the text and the elements as they are shown."""
        return str(self._text), self._elements.to_py()
