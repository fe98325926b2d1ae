"""Sealing, opening and what cannot be opened."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from isshoni.backend.errors import BadKeys, KeyRefused, Unreadable
from isshoni.backend.security.vault import HEADER, Vault
from isshoni.backend.store.key_check import KEY_CHECK
from isshoni.backend.store.ports import Published
from isshoni.backend.store.redis.link import NotWriter
from isshoni.backend.store.sealed_store import SealedStore
from isshoni.session.server.yjs_update import check_update
from isshoni.session.yjs_walk import BrokenUpdate
from tests.support.fake_store import FakeServer, FakeSessionStore
from tests.support.waiting import wait_until

ONE, TWO = (Fernet.generate_key().decode() for _ in range(2))


@pytest.mark.spec("A6")
@given(st.binary())
def test_what_is_sealed_opens_with_the_key_and_not_without(content: bytes) -> None:
    sealed = Vault([ONE]).seal(content)
    assert len(content) < 8 or content not in sealed
    assert Vault([TWO, ONE]).open(sealed) == content
    for other in (Vault([TWO]), Vault()):
        with pytest.raises(Unreadable):
            other.open(sealed)


@pytest.mark.spec("A5", "A6")
def test_what_was_written_plain_stays_readable() -> None:
    for content in (b'{"client_id":"c"}', b"\x00\x00", b"", b"\xff\xff\xff"):
        assert Vault().seal(content) == content
        assert Vault([ONE]).open(content) == content


@pytest.mark.spec("A6")
def test_keys_rotate_by_their_order() -> None:
    old = Vault([ONE]).seal(b"x")
    for both in (Vault.parse(f"{ONE}, {TWO}"), Vault.parse(f"{TWO},{ONE}")):
        assert both.open(old) == b"x"
    assert Vault([ONE, TWO]).is_current(old)
    assert not Vault([TWO, ONE]).is_current(old)
    assert Vault([TWO]).open(Vault([TWO, ONE]).seal(b"x")) == b"x"


@pytest.mark.spec("A6")
def test_none_in_the_first_place_writes_plain_and_reads_all() -> None:
    vault = Vault.parse(f"none,{ONE}")
    assert vault.seal(b"x") == b"x"
    assert vault.open(Vault([ONE]).seal(b"x")) == b"x"
    assert vault.writes == "seal:none"
    assert vault.reads == ("seal:none", Vault([ONE]).writes)


@pytest.mark.parametrize(
    "text", ["short", f"{ONE},", f"{ONE},none", "ü" * 44, f"{ONE}x"], ids=range(5)
)
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(BadKeys) as refused:
        Vault.parse(text)
    assert ONE not in str(refused.value)


@pytest.mark.spec("A5")
def test_a_format_of_the_future_is_unreadable_not_mangled() -> None:
    for stored in (HEADER, HEADER + b"\x03abc", HEADER + b"\x02", HEADER + b"\x02garbage"):
        for vault in (Vault(), Vault([ONE])):
            with pytest.raises(Unreadable):
                vault.open(stored)


def test_no_yjs_update_begins_like_a_header() -> None:
    with pytest.raises(BrokenUpdate):
        check_update(HEADER + b"\x02" + bytes(64))


def open_stores(*vaults: Vault, server: FakeServer | None = None) -> list[SealedStore]:
    server = server or FakeServer()
    return [SealedStore(FakeSessionStore(server), vault) for vault in vaults]


@pytest.mark.spec("A6")
@pytest.mark.parametrize("other", [Vault(), Vault([TWO]), Vault.parse(f"none,{TWO}")])
async def test_with_another_key_or_none_nothing_is_read_or_written(other: Vault) -> None:
    server = FakeServer()
    right, wrong = open_stores(Vault([ONE]), other, server=server)
    await right.append_chat("s", "c", 1, b"{1}")
    before = server.notes[KEY_CHECK]
    for _ in range(2):
        with pytest.raises(KeyRefused, match="SESSION_ENCRYPTION_KEY"):
            await wrong.probe()
        with pytest.raises(KeyRefused):
            await wrong.append_chat("s", "c", 2, b"{2}")
        with pytest.raises(KeyRefused):
            await wrong.read_chat("s", after=0, limit=10)
        with pytest.raises(KeyRefused):
            await wrong.subscribe("s", lambda published: None)
    assert server.notes[KEY_CHECK] == before
    assert [e.payload for e in await right.read_chat("s", after=0, limit=10)] == [b"{1}"]


@pytest.mark.spec("A6")
async def test_a_key_set_later_reads_what_was_plain_and_shuts_out_who_has_none() -> None:
    plain, sealed = open_stores(Vault(), Vault([ONE]))
    await plain.append_chat("s", "c", 1, b"{1}")
    await sealed.append_chat("s", "c", 2, b"{2}")
    assert [e.payload for e in await sealed.read_chat("s", after=0, limit=9)] == [b"{1}", b"{2}"]
    entries = await plain.read_chat("s", after=0, limit=9)
    assert [entry.fault is None for entry in entries] == [True, False], "until it looks again"
    with pytest.raises(KeyRefused):
        await plain.probe()
    with pytest.raises(KeyRefused):
        await plain.append_chat("s", "c", 3, b"{3}")


@pytest.mark.spec("A6")
async def test_the_first_key_of_a_rotation_takes_the_check_over() -> None:
    old, both, new = open_stores(Vault([ONE]), Vault([TWO, ONE]), Vault([TWO]))
    await old.check_key()
    with pytest.raises(KeyRefused):
        await new.check_key()
    await both.check_key()
    await new.check_key()


@pytest.mark.spec("A6")
@pytest.mark.parametrize(
    ("stable", "candidate"),
    [(Vault(), Vault([ONE])), (Vault([ONE]), Vault([TWO, ONE]))],
    ids=["the first key", "a replaced key"],
)
async def test_a_candidate_locks_stable_out_by_what_it_stores_not_by_being_tried(
    stable: Vault, candidate: Vault
) -> None:
    before, after = open_stores(stable, candidate)
    await before.append_chat("s", "c", 1, b"{1}")
    await after.probe()
    (rehearsal, *_) = after.rehearsal_sessions()
    await after.lend_session(rehearsal, seconds=5)
    await after.append_chat(rehearsal, "c", 1, b"{1}")
    await after.append_canvas(rehearsal, b"update")
    assert len(await after.read_chat("s", after=0, limit=9)) == 1
    await before.probe()
    await before.append_chat("s", "c", 2, b"{2}")
    await after.append_chat("s", "c", 3, b"{3}")
    with pytest.raises(KeyRefused):
        await before.probe()


@pytest.mark.spec("A6")
async def test_who_writes_an_entry_hears_it_without_decrypting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vault = Vault([ONE])
    (store,) = open_stores(vault)
    await store.check_key()
    heard: list[Published] = []
    await store.subscribe("s", heard.append)
    monkeypatch.setattr(vault, "_all", None)  # whoever decrypts now fails
    await store.append_chat("s", "c", 1, b"{1}")
    await wait_until(lambda: heard, "the publication")
    assert heard == [Published("chat", 1, b"{1}")]


async def test_a_region_that_may_not_write_reads_before_there_is_a_test_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(*_: object, **__: object) -> bytes:
        raise NotWriter("region west is a standby")

    below = FakeSessionStore()
    store = SealedStore(below, Vault([ONE]))
    monkeypatch.setattr(below, "keep_note", refuse)
    assert await store.read_recent_chat("s", limit=1) == []
    monkeypatch.undo()
    await store.check_key()
    assert await below.read_note(KEY_CHECK) is not None
