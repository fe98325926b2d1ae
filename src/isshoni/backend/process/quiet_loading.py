"""Load code at low priority, so that serving processes keep the processor."""

import os
import sys
import threading
from importlib import import_module

_NICENESS = 10


def load_quietly(module: str) -> None:
    """Import a module in a thread of low priority.

    A thread, because a process that has lowered its priority may not raise it again. Only Linux
    has a priority for each thread.
    """
    loading = threading.Thread(target=_load, args=(module,), name="quiet loading")
    loading.start()
    loading.join()


def _load(module: str) -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)  # 0: the thread that calls
    import_module(module)
