"""The files of the built page: read once, compressed once, with an ETag of their content."""

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import brotli
from starlette.requests import Request
from starlette.responses import Response

INDEX = "index.html"
ASSETS = "assets/"
"""The files below have names that change with their content, as bundlers make them."""
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_PACKED = (".ico", ".png", ".woff2")
"""The endings of files that compression makes no smaller."""
_BROTLI_QUALITY = 9
"""11 takes ten times as long, for 6 % less; the first request of a file waits for it."""
_IMMUTABLE = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
"""The browser keeps it and checks its ETag each time, so that a deploy is visible at once."""


@dataclass(frozen=True)
class PageFile:
    """One file of a built page."""

    content: bytes
    etag: str
    packed: Mapping[str, bytes]
    """Compressed forms that are smaller, by their name in `Content-Encoding`, smallest first."""


class Pages:
    """The files below one directory, each as it was at its first request."""

    def __init__(self, directory: Path, embed_hosts: Sequence[str] = ()) -> None:
        self._embed_hosts = " ".join(embed_hosts).encode()
        # Listed once: no name from a request ever reaches the file system.
        self._paths = {
            path.relative_to(directory).as_posix(): path
            for path in (directory.rglob("*") if directory.is_dir() else ())
            if path.is_file()
        }
        self._files: dict[str, PageFile] = {}

    def names(self) -> list[str]:
        """List the names of all files, relative to the directory."""
        return sorted(self._paths)

    async def find(self, name: str) -> PageFile | None:
        """Return a file; None if there is none of that name."""
        if name not in self._paths:
            return None
        if name not in self._files:
            content = await self.read(name)
            self._files[name] = await asyncio.to_thread(make_page_file, name, content)
        return self._files[name]

    async def find_index(self, depth: int) -> PageFile | None:
        """Return the page for a path `depth` levels below the root; None when there is none.

        Its assets are relative to that path, because a proxy in front may have removed the
        beginning of the path in the browser.
        """
        key = f"{INDEX}@{depth}"
        if INDEX in self._paths and key not in self._files:
            content = (await self.read(INDEX)).replace(
                b'="/static/', b'="' + b"../" * depth + b"static/"
            )
            if self._embed_hosts:
                meta = b'<meta name="embed-hosts" content="' + self._embed_hosts + b'" />\n  '
                content = content.replace(b"</head>", meta + b"</head>", 1)
            self._files[key] = await asyncio.to_thread(make_page_file, INDEX, content)
        return self._files.get(key)

    async def read(self, name: str) -> bytes:
        """Return the content of one of `names`, without preparing it for sending."""
        return await asyncio.to_thread(self._paths[name].read_bytes)


def make_page_file(name: str, content: bytes) -> PageFile:
    """Prepare content for sending: its ETag, and its compressed forms."""
    etag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    forms: dict[str, bytes] = {}
    if not name.endswith(_PACKED):
        forms = {
            "br": brotli.compress(content, quality=_BROTLI_QUALITY),
            "gzip": gzip.compress(content, 9, mtime=0),
        }
    return PageFile(
        content,
        etag,
        {form: packed for form, packed in forms.items() if len(packed) < len(content)},
    )


def answer_with(file: PageFile, name: str, request: Request) -> Response:
    """Answer with a file, compressed if the browser accepts that; 304 if it has not changed."""
    headers = {
        "etag": file.etag,
        "cache-control": _IMMUTABLE if name.startswith(ASSETS) else _ASK_AGAIN,
        "vary": "accept-encoding",
    }
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content = file.content
    accepted = _read_accepted(request.headers.get("accept-encoding", ""))
    form = next((form for form in file.packed if form in accepted), None)
    if form is not None:
        content, headers["content-encoding"] = file.packed[form], form
    kind = _TYPES.get(name[name.rfind(".") :], "application/octet-stream")
    return Response(content, headers=headers, media_type=kind)


def _read_accepted(header: str) -> set[str]:
    """Return the encodings that a browser accepts (RFC 9110, 12.5.3)."""
    choices = (choice.replace(" ", "").lower().partition(";q=") for choice in header.split(","))
    return {name for name, _, quality in choices if not quality or quality.strip("0.")}
