"""Check that this machine reaches the backends' admin ports, which only the VPC does."""

import asyncio
import contextlib

from isshoni.environments.aws.doctor.inspected import Inspected
from isshoni.environments.aws.groups import Groups
from isshoni.environments.checks import Check
from isshoni.plurals import count
from isshoni.rollout.model import COLOURS

CONNECT_SECONDS = 3.0
_OUTSIDE = (
    "this machine is outside the VPC, or not in the security group `operator_group_id`: run "
    "isshoni on the runner inside the VPC (docs/aws.md)"
)
_SILENT = "look at `isshoni logs`: a backend that has started listens there"


async def check_admin_ports(inspected: Inspected) -> Check:
    """Check that each instance in service takes connections on its admin port."""
    groups = await Groups(inspected.api, inspected.outputs, 1.0).observe()
    instances = [instance for colour in COLOURS for instance in groups[colour].serving]
    if not instances:
        detail = "no instance is in service, so none could be tried"
        return Check("admin ports", True, detail)
    port = inspected.outputs.admin_port
    faults = await asyncio.gather(*(_try(instance.address, port) for instance in instances))
    failed = [
        f"{instance.id} at {instance.address}:{port}: {fault}"
        for instance, fault in zip(instances, faults, strict=True)
        if fault is not None
    ]
    if not failed:
        return Check("admin ports", True, f"{count(len(instances), 'instance')} can be reached")
    remedy = _SILENT if all(fault in (None, _REFUSED) for fault in faults) else _OUTSIDE
    return Check("admin ports", False, "; ".join(failed), remedy)


_REFUSED = "nothing listens"


async def _try(address: str, port: int) -> str | None:
    """Return why a port cannot be reached; None if it takes a connection."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return f"no answer in {CONNECT_SECONDS:g} s"
    except ConnectionRefusedError:
        return _REFUSED
    except OSError as fault:
        return fault.strerror or str(fault)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None
