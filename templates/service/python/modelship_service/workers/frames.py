"""Messages between processes: a pickle, and beside it the large buffers, so that only the socket copies arrays."""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Generator, Sequence
from typing import Any

# Length of the pickle, and number of buffers. The length of each buffer follows, then the pickle, then the buffers.
_HEAD = struct.Struct("<QQ")
_LENGTH_BYTES = 8
# A smaller buffer costs less inside the pickle than beside it.
_BESIDE_BYTES = 64 * 1024
# How many buffers the system takes in one call.
_MOST_BUFFERS = 512

Buffers = list[memoryview]
Packed = tuple[bytearray, list[bytearray]]


def pack(message: Any) -> Buffers:
    """Raises what pickle raises."""
    beside: Buffers = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes >= _BESIDE_BYTES:
            beside.append(raw)
        return raw.nbytes < _BESIDE_BYTES

    data = pickle.dumps(message, protocol=5, buffer_callback=keep)
    head = _HEAD.pack(len(data), len(beside)) + b"".join(one.nbytes.to_bytes(_LENGTH_BYTES, "little") for one in beside)
    return [memoryview(head), memoryview(data), *beside]


def unpack(packed: Packed) -> Any:
    """Raises what pickle raises."""
    data, buffers = packed
    return pickle.loads(data, buffers=buffers)


def incoming() -> Generator[memoryview, None, Packed]:
    """Asks for memory to be filled, piece by piece, until a message is complete."""
    head = bytearray(_HEAD.size)
    yield memoryview(head)
    length, count = _HEAD.unpack(head)
    table = bytearray(_LENGTH_BYTES * count)
    if count:
        yield memoryview(table)
    data = bytearray(length)
    yield memoryview(data)
    buffers = []
    for start in range(0, len(table), _LENGTH_BYTES):
        buffer = bytearray(int.from_bytes(table[start : start + _LENGTH_BYTES], "little"))
        yield memoryview(buffer)
        buffers.append(buffer)
    return data, buffers


def send_some(sock: socket.socket, buffers: Buffers) -> Buffers:
    """What is left to send after one call of the system."""
    sent = sock.sendmsg(buffers[:_MOST_BUFFERS])
    for index, buffer in enumerate(buffers):
        if sent < buffer.nbytes:
            return [buffer[sent:], *buffers[index + 1 :]]
        sent -= buffer.nbytes
    return []


def send(sock: socket.socket, buffers: Sequence[memoryview]) -> None:
    left = list(buffers)
    while left:
        left = send_some(sock, left)


def receive(sock: socket.socket) -> Packed:
    """Waits. Raises EOFError or OSError when the other end is closed."""
    asking = incoming()
    try:
        while True:
            view = next(asking)
            while view:
                count = sock.recv_into(view)
                if not count:
                    raise EOFError
                view = view[count:]
    except StopIteration as complete:
        packed: Packed = complete.value
        return packed
