from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import numpy as np
import pytest

from modelship_service.model.failure import Failure
from modelship_service.workers import frames
from modelship_service.workers.channel import Channel

LARGE = np.arange(2**20, dtype=np.float32).reshape(256, -1)


def echo(sock: socket.socket) -> None:
    """The other process: what comes is sent back."""
    with sock:
        try:
            while True:
                frames.send(sock, frames.pack(frames.unpack(frames.receive(sock))))
        except (EOFError, OSError):
            return


def through(message: Any) -> Any:
    """A message that has gone to another end of a socket with little room, and come back."""

    async def scene() -> Any:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        other = threading.Thread(target=echo, args=(theirs,))
        other.start()
        channel = Channel(ours)
        channel.send(message)
        try:
            return await channel.receive()
        finally:
            channel.close()
            other.join()

    return asyncio.run(scene())


@pytest.mark.parametrize(
    "array",
    [
        LARGE,
        LARGE.T,
        LARGE[::2, 1:7],
        np.zeros((0, 3), np.int64),
        np.array(3.5),
        np.array(["a", "é"], object),
        np.full((300, 300), b"ab"),
    ],
)
def test_arrays_arrive_as_they_were(array: Any) -> None:
    found = through({"x": array})["x"]
    assert found.dtype == array.dtype and found.shape == array.shape
    assert np.array_equal(found, array)


def test_more_buffers_than_the_system_takes_at_once() -> None:
    arrays = [np.full(16_384, number, np.float32) for number in range(1100)]
    assert all(np.array_equal(one, other) for one, other in zip(through(arrays), arrays, strict=True))


def test_large_arrays_are_not_in_the_pickle_and_small_ones_are() -> None:
    head, data, *beside = frames.pack([LARGE, np.arange(10)])
    assert [one.nbytes for one in beside] == [LARGE.nbytes]
    assert head.nbytes + data.nbytes < 1000


def test_a_message_that_cannot_be_read_is_a_failure_and_the_next_one_is_read() -> None:
    async def scene() -> None:
        ours, theirs = socket.socketpair()
        channel = Channel(ours)
        with theirs:
            broken = frames.pack("text")
            frames.send(theirs, [broken[0], memoryview(b"?" * broken[1].nbytes)])
            frames.send(theirs, frames.pack("next"))
            assert isinstance(await channel.receive(), Failure)
            assert await channel.receive() == "next"
        with pytest.raises(EOFError):
            await channel.receive()
        with pytest.raises(EOFError):
            await channel.receive()

    asyncio.run(scene())
