"""Find the type of an image by its first bytes; the declared type is not trusted."""

import re
from typing import Final

IMAGE_TYPES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")

_PROLOGUE_BYTES = 4096
_PROLOGUE = re.compile(rb"\s+|<\?xml[^>]*\?>|<!--.*?-->|<!DOCTYPE svg[^>\[]*>", re.DOTALL)
"""One piece of what may precede the root of an SVG."""
_SVG_ROOT = re.compile(rb"<svg[\s>]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def find_image_type(content: bytes) -> str | None:
    """Return the media type of an image; None if it is none of `IMAGE_TYPES`."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/svg+xml" if _is_svg(content[:_PROLOGUE_BYTES]) else None


def _is_svg(beginning: bytes) -> bool:
    at = len(_BYTE_ORDER_MARK) if beginning.startswith(_BYTE_ORDER_MARK) else 0
    while piece := _PROLOGUE.match(beginning, at):
        at = piece.end()
    return _SVG_ROOT.match(beginning, at) is not None
