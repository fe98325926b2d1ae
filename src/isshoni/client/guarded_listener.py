"""A listener around an application's: an error of the application does not end its client."""

import logging
from collections.abc import Callable
from typing import Any

from isshoni.client.listener import ClientListener

_LOG = logging.getLogger("isshoni.client")


def guard(listener: ClientListener) -> ClientListener:
    """Return a listener that passes each report on, and logs what `listener` raises.

    Raised into the client, it would end the task of the connection: the client would not come back.
    """
    guarded = ClientListener()
    for name in vars(ClientListener):
        if name.startswith("on_"):
            setattr(guarded, name, _pass_on(listener, name))
    return guarded


def _pass_on(listener: ClientListener, name: str) -> Callable[..., None]:
    def report(*facts: Any) -> None:
        try:
            getattr(listener, name)(*facts)
        except Exception:
            _LOG.exception("%s of the listener failed; the client goes on", name)

    return report
