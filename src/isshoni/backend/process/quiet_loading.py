"""Loading code without taking the processor from those who work."""

import os
import sys
import threading
from importlib import import_module

_NICENESS = 10


def load_quietly(module: str) -> None:
    """Import a module in a thread of low priority.

    In a thread, for a process that has made itself nice may not take it back. Only
    Linux gives each thread a niceness of its own.
    """
    loading = threading.Thread(target=_load, args=(module,), name="quiet loading")
    loading.start()
    loading.join()


def _load(module: str) -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)  # 0: the thread that calls
    import_module(module)
