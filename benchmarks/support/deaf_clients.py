"""Clients of one address that ask for whole canvases and read nothing."""

import asyncio
import socket

import psutil
import pycrdt

from isshoni.session.sync import make_step1

ADDRESS = "203.0.113.9"
CLIENTS = 60
WATCH_SECONDS = 4.0
LOOK_SECONDS = 0.1


def open_deaf(port: int, session_id: str) -> socket.socket:
    """Open a WebSocket, ask for the whole canvas, and read nothing after the handshake."""
    opened = socket.create_connection(("127.0.0.1", port), timeout=30)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.sendall(
        f"GET /ws/{session_id} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        f"X-Forwarded-For: {ADDRESS}\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    opened.recv(64)
    step1 = make_step1(pycrdt.Doc())
    opened.sendall(bytes((0x82, 0x80 | len(step1))) + bytes(4) + step1)
    return opened


async def measure_held_bytes(pid: int, port: int, session_id: str) -> int:
    """Return by how much the process grew at most while the clients read nothing.

    The canvas should be loaded before: it is not theirs.
    """
    process = psutil.Process(pid)
    before = most = process.memory_info().rss
    sockets = [await asyncio.to_thread(open_deaf, port, session_id) for _ in range(CLIENTS)]
    for _ in range(int(WATCH_SECONDS / LOOK_SECONDS)):
        await asyncio.sleep(LOOK_SECONDS)
        most = max(most, process.memory_info().rss)
    if not all(map(_was_answered, sockets)):
        raise SystemExit("a client got nothing of the canvas, so nothing was measured")
    for each in sockets:
        each.close()
    return int(most - before)


def _was_answered(opened: socket.socket) -> bool:
    opened.settimeout(1)
    try:
        return len(opened.recv(1 << 16)) > len(ADDRESS)
    except ConnectionError:  # cut, because its address left too much unread
        return True
    except TimeoutError:
        return False
