"""Every server of a Redis behind one interface: a slot says where a command goes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link.address import Locator
from isshoni.backend.store.redis.link.channels import Channels
from isshoni.backend.store.redis.link.connection import Argument
from isshoni.backend.store.redis.link.errors import ErrorReply
from isshoni.backend.store.redis.link.meter import RedisMeter
from isshoni.backend.store.redis.link.node import RedisNode
from isshoni.backend.store.redis.link.script import Script
from isshoni.backend.store.redis.link.sentinel import SentinelLocator
from isshoni.backend.store.redis.link.settings import LinkSettings
from isshoni.backend.store.redis.link.slots import SLOTS, SlotRange, parse_redirect
from isshoni.backend.store.redis.link.started import StartedScript
from isshoni.backend.store.redis.link.url import Deployment
from isshoni.backend.store.redis.link.write_gate import READS, WriteGate
from isshoni.backend.tasks import run_all

REDIRECTS = ("MOVED", "ASK", "TRYAGAIN")
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.005, 0.1
_REREAD_SECONDS = 0.25


class RedisNodes:
    """The primaries, which of them owns each slot, and the subscriptions on them.

    A single server owns all slots. In a cluster the first seed owns them until the topology is
    known; a MOVED corrects each slot that is out of date.
    """

    def __init__(
        self,
        deployment: Deployment,
        settings: LinkSettings,
        meter: RedisMeter,
        on_whole: Callable[[], None],
        gate: WriteGate | None = None,
    ) -> None:
        self.deployment = deployment
        self.gate = gate
        """What every write passes; None without regions."""
        self.settings = settings
        self._meter = meter
        self._on_whole = on_whole
        self._nodes: dict[str, RedisNode] = {}
        self._growing = asyncio.Lock()
        self._reread_timer: asyncio.TimerHandle | None = None
        self.stale = asyncio.Event()
        """Set when an answer contradicted the known topology."""
        self.channels = Channels(self, on_whole)
        first = self._make_node(_locate_first(deployment, settings))
        self._nodes[str(deployment.seeds[0])] = first
        self._owners = [first] * SLOTS

    async def start(self) -> None:
        """Begin to connect to the known servers; one that cannot be reached is no error here."""
        await asyncio.gather(
            *(node.start() for node in self._nodes.values()), return_exceptions=False
        )

    async def aclose(self) -> None:
        """Close all connections."""
        if self._reread_timer is not None:
            self._reread_timer.cancel()
        await run_all("close a Redis server", [node.aclose() for node in self._nodes.values()])

    @property
    def connected(self) -> bool:
        """True while every connection is established."""
        return all(node.connected for node in self._nodes.values())

    @property
    def shortage(self) -> str | None:
        """On how many replicas writes are while they are acknowledged with too few, or None."""
        return next((short for node in self.nodes if (short := node.link.shortage)), None)

    @property
    def nodes(self) -> list[RedisNode]:
        """The servers that are known."""
        return list(self._nodes.values())

    def primaries(self) -> list[tuple[RedisNode, int]]:
        """List the servers that own slots, each with one of its slots."""
        owners = self._owners
        return [(node, owners.index(node)) for node in self._nodes.values() if node in owners]

    # Commands

    async def execute(self, slot: int, *command: Argument) -> Any:
        """Send a command on keys of one slot; return its answer, waiting for no replica.

        Raises `StoreUnavailable`: an `ErrorReply` when Redis refused; otherwise the command
        may or may not have been carried out.
        """
        if self.gate is None or command[0] in READS:
            return await self._follow(self._owners[slot].direct.execute(*command), slot, command)
        await self.gate.enter(0.0)
        try:
            return await self._follow(self._owners[slot].direct.execute(*command), slot, command)
        finally:
            self.gate.leave()

    async def execute_both(
        self, slot: int, first: Sequence[Argument], second: Sequence[Argument]
    ) -> tuple[Any, Any]:
        """Send two commands on keys of one slot at once, in this order; return their answers.

        Raises `StoreUnavailable` as `execute` does.
        """
        direct = self._owners[slot].direct
        one, two = direct.execute(*first), direct.execute(*second)
        try:
            return await self._follow(one, slot, first), await self._follow(two, slot, second)
        except StoreUnavailable:
            if not two.cancel():
                two.exception()  # retrieved, so that it is not reported as forgotten
            raise

    async def _follow(
        self, answer: asyncio.Future[Any], slot: int, command: Sequence[Argument]
    ) -> Any:
        try:
            return await answer
        except ErrorReply as refusal:
            return await self._redirect(refusal, slot, command)

    async def run(
        self, slot: int, script: Script, keys: Sequence[bytes], *arguments: Argument
    ) -> Any:
        """Run a script by its digest, or by its source if Redis lacks it.

        It counts as run once what it wrote is as durable as the settings demand.
        """
        if self.gate is None:
            return await self.run_ungated(slot, script, keys, *arguments)
        await self.gate.enter(script.wait_seconds)
        try:
            return await self.run_ungated(slot, script, keys, *arguments)
        finally:
            self.gate.leave()

    def start_script(
        self,
        slot: int,
        script: Script,
        keys: Sequence[bytes],
        answer: Callable[[Any], None],
        *arguments: Argument,
    ) -> bool:
        """Run a script as `run` does, and call `answer` with its reply or an exception.

        Without a task, unless Redis refuses it or writes wait for replicas. False, with nothing
        sent, while the gate is closed, or writes that waited for it are on their way.
        """
        gate = self.gate
        if gate is not None and not gate.enter_at_once():
            return False
        started = StartedScript(answer, gate)
        rest = (len(keys), *keys, *arguments)
        if self.settings.durability is not None:
            started.follow(self.run_ungated(slot, script, keys, *arguments))
            return True

        def read(reply: Any) -> None:
            if isinstance(reply, ErrorReply):
                started.follow(self._run_again(reply, slot, script, rest))
            else:
                started.end(reply)

        try:
            self._owners[slot].link.execute_then((b"EVALSHA", script.sha, *rest), read)
        except StoreUnavailable as fault:
            started.end(fault)
        return True

    async def run_ungated(
        self, slot: int, script: Script, keys: Sequence[bytes], *arguments: Argument
    ) -> Any:
        """Run a script as `run` does, even while this region may not write."""
        rest = (len(keys), *keys, *arguments)
        try:
            return await self._send(slot, (b"EVALSHA", script.sha, *rest), script)
        except ErrorReply as refusal:
            return await self._run_again(refusal, slot, script, rest)

    async def _run_again(
        self, refusal: ErrorReply, slot: int, script: Script, rest: tuple[Argument, ...]
    ) -> Any:
        """Run a refused script on the right server, by its source if the server lacks it."""
        try:
            return await self._redirect(refusal, slot, (b"EVALSHA", script.sha, *rest), script)
        except ErrorReply as again:
            if again.code != "NOSCRIPT":
                raise
        # Nothing has run: sending it again cannot do anything twice.
        by_source = (b"EVAL", script.source, *rest)
        try:
            return await self._send(slot, by_source, script)
        except ErrorReply as again:
            return await self._redirect(again, slot, by_source, script)

    def _send(self, slot: int, command: Sequence[Argument], script: Script) -> Awaitable[Any]:
        link = self._owners[slot].link
        if self.settings.durability is None:
            return link.execute(*command)
        return link.send(command, wrote=script.wrote)

    async def _redirect(
        self,
        refusal: ErrorReply,
        slot: int,
        command: Sequence[Argument],
        script: Script | None = None,
    ) -> Any:
        """Send a refused command to the right server, until the time limit of a command."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.settings.command_timeout_seconds
        pause_seconds = _FIRST_PAUSE_SECONDS
        node = self._owners[slot]
        while refusal.code in REDIRECTS and loop.time() < give_up_at:
            if refusal.code == "TRYAGAIN":
                # A slot that moves has keys on both servers, for a moment.
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
                node = self._owners[slot]
            else:
                node = await self.find_target(refusal)
            asking = refusal.code == "ASK"
            try:
                if script is None:
                    return await node.direct.send(command, asking=asking)
                return await node.link.send(command, asking=asking, wrote=script.wrote)
            except ErrorReply as again:
                refusal = again
        if refusal.code == "CLUSTERDOWN":
            self.stale.set()
        raise refusal

    async def find_target(self, refusal: ErrorReply) -> RedisNode:
        """Find the node that a MOVED or ASK names, and update the known topology."""
        slot, host, port = parse_redirect(refusal.detail)
        # Without a host: the server that was asked, from which the whole topology came.
        node = await self._grow(host or self.deployment.primary.host, port)
        if refusal.code == "MOVED":
            self._owners[slot] = node
            self.stale.set()
        else:
            self._reread_soon()
        return node

    def _reread_soon(self) -> None:
        """Let every session re-read soon: the target of a moving slot accepts no subscription."""
        if self._reread_timer is None:
            loop = asyncio.get_running_loop()
            self._reread_timer = loop.call_later(_REREAD_SECONDS, self._reread)

    def _reread(self) -> None:
        self._reread_timer = None
        self._on_whole()

    # Topology

    async def adopt(self, ranges: Sequence[SlotRange]) -> None:
        """Adopt a topology; the connections to servers that own nothing in it are closed."""
        owners = self._owners.copy()
        for part in ranges:
            node = await self._grow(part.host, part.port)
            owners[part.first : part.last + 1] = [node] * (part.last + 1 - part.first)
        self._owners = owners
        await self.channels.move()
        for name, node in list(self._nodes.items()):
            if node not in self._owners:
                del self._nodes[name]
                await node.aclose()

    async def _grow(self, host: str, port: int) -> RedisNode:
        """Return the node at an address; a new one has tried to connect once."""
        address = replace(self.deployment.primary, host=host, port=port)
        if known := self._nodes.get(str(address)):
            return known
        async with self._growing:
            node = self._nodes.get(str(address))
            if node is None:
                node = self._make_node(address)
                await node.start()
                self._nodes[str(address)] = node
        return node

    def _make_node(self, where: Locator) -> RedisNode:
        return RedisNode(
            where, self.settings, self._meter, self._on_whole, self.channels.handle_lost
        )

    def owner(self, slot: int) -> RedisNode:
        """Return the server that owns a slot, as far as is known."""
        return self._owners[slot]


def _locate_first(deployment: Deployment, settings: LinkSettings) -> Locator:
    if deployment.kind == "sentinel":
        return SentinelLocator(
            deployment.seeds, deployment.primary_name, deployment.primary, settings
        )
    return deployment.seeds[0]
