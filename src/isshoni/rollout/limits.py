"""What a deploy of a release cannot do for its clients, in sentences for operators."""

from isshoni.rollout.model import Colour, Release


def list_unmovable(colour: Colour, release: Release, drain_seconds: float) -> list[str]:
    """Return which connections of a slot a deploy cannot move, each with the reason."""
    here, bound = f"{release.label} on {colour}", f"at most {drain_seconds:g} s"
    if not release.can_move_clients:
        return [
            f"all WebSockets of {here}: they go straight to the program, without a relay, so they "
            f"stay there for {bound}, and are then cut all at once"
        ]
    if release.relay is None:
        return [
            f"clients of {here} that do not know `migrate` (such as stock y-websocket): they are "
            "closed with 1012 at the pace of the move, and reconnect"
        ]
    lines = []
    if not release.relay.new_sockets:
        lines.append(
            f"WebSockets of {here} that were opened since `relay = false`: they go straight to the "
            f"program, stay for {bound}, and are then cut"
        )
    if release.relay.profile in ("auto", "socket.io"):
        lines.append(
            f"Socket.IO clients of {here} that poll: the profile moves WebSockets only; they stay "
            f"until they leave, {bound}"
        )
    if release.relay.profile == "plain" and not release.relay.preamble_messages:
        lines.append(
            f"clients of {here} that must send something first, such as a login: the profile "
            "`plain` repeats nothing to the new program unless `preamble_messages` says how many"
        )
    lines.append(
        f"server-sent events and long HTTP answers of {here}: they end by themselves, {bound}"
    )
    return lines


def describe_return(release: Release) -> str | None:
    """Return what a later rollback to a release starts, if its content is not pinned."""
    if release.source is not None:
        return None
    if release.command is None:
        what = "the Isshoni that is installed then"
    else:
        what = "its command with the program's files as they are then"
    return (
        f"{release.label} is only a label: a rollback to it starts {what}. To pin the files, "
        "deploy a directory or commit (`git:REF`)"
    )


def describe_other_program(release: Release, before: Release) -> str | None:
    """Return a warning if one of two releases is Isshoni's own program and the other is not."""
    if (release.command is None) == (before.command is None):
        return None
    if release.command is None:
        return (
            f"careful: {before.label} runs `{before.command}`, but {release.label} is Isshoni's "
            "own program: neither --command nor `command` under `[app]` names another"
        )
    return (
        f"careful: {before.label} is Isshoni's own program, but {release.label} runs "
        f"`{release.command}`"
    )
