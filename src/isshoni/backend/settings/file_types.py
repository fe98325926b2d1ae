"""Which types of files the sessions of a deployment take."""

import re
from dataclasses import dataclass

ANY_TYPE = "*"
RUN_BY_BROWSERS = frozenset(
    (
        "text/html",
        "application/xhtml+xml",
        "text/xml",
        "application/xml",
        "application/xslt+xml",
        "application/mathml+xml",
        "multipart/x-mixed-replace",
        "multipart/related",
        "message/rfc822",
        "text/javascript",
        "text/ecmascript",
        "text/jscript",
        "text/livescript",
        "text/x-javascript",
        "text/x-ecmascript",
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
        "application/x-ecmascript",
        "application/wasm",
        "application/x-shockwave-flash",
        "application/hta",
    )
)
"""Types that no wildcard allows. SVG is not among them: it is checked, and sent under a policy."""
_TYPE = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}"
_PATTERN = re.compile(rf"\*|{_TYPE}/(\*|{_TYPE})")


@dataclass(frozen=True)
class FileTypes:
    """Media types: `*` and `image/*` allow all but those of `RUN_BY_BROWSERS`."""

    patterns: tuple[str, ...] = (ANY_TYPE,)

    def allows(self, media_type: str) -> bool:
        """True if files of this type (lower case, without parameters) are taken."""
        if media_type in self.patterns:
            return True
        group = media_type.partition("/")[0] + "/*"
        runs = media_type in RUN_BY_BROWSERS
        return not runs and (ANY_TYPE in self.patterns or group in self.patterns)


def is_type_pattern(text: str) -> bool:
    """True if `text` is `*`, a type like `application/pdf`, or a group like `image/*`."""
    return _PATTERN.fullmatch(text) is not None
