"""Tokens -> text that may be sent."""

from collections.abc import Callable

INCOMPLETE = "\ufffd"


class TextStream:
    """Half a character waits for its other bytes, and what may be the beginning of a stop sequence for what follows."""

    def __init__(self, decode: Callable[[list[int]], str], stop: list[str]) -> None:
        self._decode = decode
        self._stop = [text for text in stop if text]
        self._tokens: list[int] = []
        # Tokens from `_start` are decoded again each time, since a token's text depends on those before it; the text
        # of those up to `_read` is out.
        self._start = self._read = 0
        self._waiting = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """What can be sent now, which may be nothing. Nothing more comes once `stopped`."""
        self._tokens.append(token)
        known = self._decode(self._tokens[self._start : self._read])
        text = self._decode(self._tokens[self._start :])
        if text.endswith(INCOMPLETE) or len(text) <= len(known):
            return ""
        self._start, self._read = self._read, len(self._tokens)
        return self._release(text[len(known) :])

    def end(self) -> str:
        """What was held back, when no more tokens come."""
        if self.stopped:
            return ""
        known = self._decode(self._tokens[self._start : self._read])
        rest = self._release(self._decode(self._tokens[self._start :])[len(known) :])
        rest, self._waiting = rest + self._waiting, ""
        return rest

    def _release(self, text: str) -> str:
        self._waiting += text
        found = [at for at in map(self._waiting.find, self._stop) if at >= 0]
        if found:
            self.stopped = True
            said, self._waiting = self._waiting[: min(found)], ""
            return said
        kept = max((overlap(self._waiting, stop) for stop in self._stop), default=0)
        cut = len(self._waiting) - kept
        said, self._waiting = self._waiting[:cut], self._waiting[cut:]
        return said


def overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that `stop` begins with."""
    return next((size for size in range(min(len(text), len(stop)), 0, -1) if text.endswith(stop[:size])), 0)
