"""The templates of a report: its own, over the ones that all reports share."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from isshoni.report import words


def open_templates(package: str) -> Environment:
    """Open the templates in `package`, with autoescape: whatever comes in is hostile."""
    templates = Environment(
        loader=ChoiceLoader(
            [PackageLoader(package, "."), PackageLoader("isshoni.report", ".")],
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        ms=words.say_ms, seconds=words.say_seconds, count=words.say_count, clock=words.say_clock
    )
    return templates
