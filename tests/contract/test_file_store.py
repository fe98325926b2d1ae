"""The contract of `FileStore`, over Redis and over the fake."""

from tests.contract.session_stores import Open


async def test_a_file_is_kept_once_and_within_the_room(open_store: Open, session_id: str) -> None:
    one, two = await open_store(), await open_store()
    content, room_bytes = bytes(1500), 5_000
    assert await one.keep_file(session_id, "a", content, room_bytes=room_bytes) == "no_session"
    assert not await one.has_session(session_id)
    await one.open_session(session_id)
    assert await two.has_session(session_id)
    assert await one.keep_file(session_id, "a", content, room_bytes=room_bytes) == "kept"
    assert await two.keep_file(session_id, "a", b"other", room_bytes=room_bytes) == "present"
    assert await two.read_file(session_id, "a") == content
    assert await two.read_file(session_id, "b") is None
    kept = [
        await one.keep_file(session_id, f"tiny{number}", b"x", room_bytes=room_bytes)
        for number in range(5)
    ]
    assert kept[0] == "kept"
    assert kept[-1] == "full"
