"""Completion in zsh: what `--install-completion` and `--show-completion` write for it."""

from typer import _completion_shared

_ZSH = """
# Inside a completion, zsh runs this file instead of loading it: the first Tab must complete too.
if (( ${+compstate} )); then %(complete_func)s "$@"; fi
"""


def complete_at_first_tab() -> None:
    """Let the first Tab in a zsh complete, not only the ones after it.

    zsh loads the installed script at the first Tab. As Typer writes it, that registers the
    function without calling it, so the Tab offers nothing.
    """
    scripts = _completion_shared._completion_scripts  # no other way to change them
    script = scripts["zsh"]
    if "compstate" not in script:
        scripts["zsh"] = script.rstrip() + "\n" + _ZSH
