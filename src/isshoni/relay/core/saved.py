"""Save the state of a link as bytes, and load it in another process.

What is saved is a graph of objects, field by field and by name. Their classes are in a table, or
in the modules of the profiles. A relay that finds a class or a field that it does not know refuses
the whole, and the relay that serves the clients keeps them. A field that the saving relay did not
have yet has the value of a new object of its class; so a None that a new object has too is left
out, and an earlier version need not know the field. Times are those of the machine's monotonic
clock, which all of its processes share.
"""

import pkgutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Any

import msgspec

from isshoni.relay.core import profiles
from isshoni.relay.core.downward import Downward
from isshoni.relay.core.frames import Frame, FrameCutter
from isshoni.relay.core.handshake import Handshake
from isshoni.relay.core.leg import Leg
from isshoni.relay.core.link import Link
from isshoni.relay.core.messages import Message, MessageJoiner
from isshoni.relay.core.moves import Failure, Staying, Timing
from isshoni.relay.core.overlap import Overlap
from isshoni.relay.core.profiles.plain import Plain
from isshoni.relay.core.sides import Side
from isshoni.relay.core.upward import Upward
from isshoni.session.server.yjs_update import Announcement

VERSION = 1
"""To be raised when a relay of the version before would misread what is saved."""


class CannotSave(Exception):
    """The state has an object that cannot be passed to another process."""


class CannotLoad(Exception):
    """The state has a class or a field that this version does not know."""


class _NoPipe:
    def write(self, data: bytes) -> None: ...

    def finish(self) -> None: ...

    def end(self) -> None: ...


def _make_leg() -> Leg:
    return Leg(_NoPipe(), "")


def _make_link() -> Link:
    return Link(_NoPipe(), _make_leg(), Plain(), Timing(), bytes)


def _find_profiles() -> Iterator[tuple[str, type[Any]]]:
    """Find the classes of all profiles by their module and name."""
    for found in pkgutil.iter_modules(profiles.__path__):
        module = import_module(f"{profiles.__name__}.{found.name}")
        for name, kind in vars(module).items():
            if isinstance(kind, type) and kind.__module__ == module.__name__:
                yield f"{found.name}.{name}", kind


_CLASSES: Mapping[str, type[Any]] = {
    "Announcement": Announcement,
    "Downward": Downward,
    "Frame": Frame,
    "FrameCutter": FrameCutter,
    "Handshake": Handshake,
    "Leg": Leg,
    "Link": Link,
    "Message": Message,
    "MessageJoiner": MessageJoiner,
    "Overlap": Overlap,
    "Staying": Staying,
    "Upward": Upward,
    **{name: kind for name, kind in _find_profiles() if not issubclass(kind, Enum)},
}
"""Each class by the name it is saved as, also by later versions."""
_MAKERS: Mapping[type[Any], Callable[[], object]] = {
    Downward: lambda: Downward(_NoPipe(), Plain(), 0.0),
    Handshake: lambda: Handshake(b"", "/", is_upgrade=True),
    Leg: _make_leg,
    Link: _make_link,
    Overlap: lambda: Overlap(0.0),
    Upward: lambda: Upward(Plain(), bytes),
}
"""How an object with the values of missing fields is made, if its class needs arguments. Without
it, all fields are required."""
_ENUMS: Mapping[str, type[Enum]] = {
    "Failure": Failure,
    "Side": Side,
    **{name: kind for name, kind in _find_profiles() if issubclass(kind, Enum)},
}
_NAMES = {kind: name for name, kind in _CLASSES.items()}
_ENUM_NAMES = {kind: name for name, kind in _ENUMS.items()}
_CONTAINERS: Mapping[str, Callable[[Iterable[Any]], Any]] = {
    "deque": deque,
    "frozenset": frozenset,
    "list": list,
    "set": set,
    "tuple": tuple,
}
_CONTAINER_NAMES = {kind: name for name, kind in _CONTAINERS.items()}


def save(value: object, shared: Mapping[str, object]) -> bytes:
    """Return the state of an object as bytes; raises `CannotSave`.

    What is in `shared` stays with this process: only its name is saved.
    """
    return msgspec.msgpack.encode(_Saver(shared).save(value))


def load(data: bytes, shared: Mapping[str, object]) -> Any:
    """Return the saved object; raises `CannotLoad`. `shared` is this process's own by name."""
    try:
        return _Loader(shared).load(msgspec.msgpack.decode(data))
    except CannotLoad:
        raise
    except Exception as fault:  # whatever is wrong with it, it cannot be loaded
        raise CannotLoad(f"the state cannot be read: {fault!r}") from fault


class _Saver:
    def __init__(self, shared: Mapping[str, object]) -> None:
        self._shared = shared
        self._own = {id(one): name for name, one in shared.items()}
        self._numbers: dict[int, int] = {}

    def save(self, value: object) -> object:
        kind = type(value)
        if value is None or kind in (bool, int, float, str, bytes):
            return value
        if kind is bytearray:
            return ["bytearray", bytes(value)]  # type: ignore[call-overload]
        name = _CONTAINER_NAMES.get(kind)
        if name is not None:
            return [name, *map(self.save, value)]  # type: ignore[call-overload]
        if kind is dict:
            items = value.items()  # type: ignore[attr-defined]
            return ["dict", *([self.save(key), self.save(one)] for key, one in items)]
        if kind in _ENUM_NAMES:
            return ["enum", _ENUM_NAMES[kind], value.value]  # type: ignore[attr-defined]
        if id(value) in self._own:
            return ["shared", self._own[id(value)]]
        if kind in _NAMES:
            return self._save_object(value, _NAMES[kind])
        for name, one in self._shared.items():
            if callable(value) and one == value:  # a bound method is another object each time
                return ["shared", name]
        raise CannotSave(f"{kind.__module__}.{kind.__qualname__} has no name to be saved as")

    def _save_object(self, value: object, name: str) -> object:
        number = self._numbers.get(id(value))
        if number is not None:
            return ["again", number]
        number = self._numbers[id(value)] = len(self._numbers)
        fields = {
            field: self.save(getattr(value, field))
            for field in _fields_of(value)
            if not _is_left_out(value, name, field)
        }
        return ["object", number, name, fields]


class _Loader:
    def __init__(self, shared: Mapping[str, object]) -> None:
        self._shared = shared
        self._objects: dict[int, object] = {}

    def load(self, data: Any) -> Any:
        if not isinstance(data, list):
            return data
        tag, *rest = data
        if tag in _CONTAINERS:
            return _CONTAINERS[tag](map(self.load, rest))
        match tag:
            case "bytearray":
                return bytearray(rest[0])
            case "dict":
                return {self.load(key): self.load(value) for key, value in rest}
            case "enum":
                return _ENUMS[rest[0]](rest[1])
            case "shared":
                return self._shared[rest[0]]
            case "again":
                return self._objects[rest[0]]
            case "object":
                return self._load_object(*rest)
        raise CannotLoad(f"{tag!r} is no kind of value that this version knows")

    def _load_object(self, number: int, name: str, fields: Mapping[str, object]) -> object:
        if name not in _CLASSES:
            raise CannotLoad(f"{name!r} is no class that this version knows")
        kind = _CLASSES[name]
        value = self._objects[number] = object.__new__(kind)
        blank = _make_blank(name)
        known = _fields_of_class(kind) if blank is None else _fields_of(blank)
        for unknown in fields.keys() - set(known):
            raise CannotLoad(f"{name} has no field {unknown!r} in this version")
        for field in known:
            if field in fields:
                one = self.load(fields[field])
            elif blank is not None:
                one = deepcopy(getattr(blank, field))
            else:
                raise CannotLoad(f"{name} lacks its field {field!r}")
            object.__setattr__(value, field, one)
        return value


@cache
def _make_blank(name: str) -> object | None:
    """Return a new object of a class; None if it needs arguments that are not known."""
    kind = _CLASSES[name]
    make: Callable[[], object] = _MAKERS.get(kind, kind)
    try:
        return make()
    except TypeError:
        return None


def _is_left_out(value: object, name: str, field: str) -> bool:
    """True for a None that the loading process fills in by itself."""
    blank = _make_blank(name)
    return blank is not None and getattr(value, field) is None and getattr(blank, field) is None


def _fields_of(value: object) -> Iterable[str]:
    return getattr(value, "__dict__", None) or _fields_of_class(type(value))


def _fields_of_class(kind: type) -> list[str]:
    return [name for one in kind.__mro__ for name in getattr(one, "__slots__", ())]
