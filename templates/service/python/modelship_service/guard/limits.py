"""How much a key may ask: so many requests in a time, and so many at once."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelship_service.errors import ApiError
from modelship_service.guard.key_list import MAX_KEYS
from modelship_service.guard.keys import Key

Rate = tuple[int, float]
RawHeaders = tuple[tuple[bytes, bytes], ...]

_NANOSECONDS = 1_000_000_000
# More than can be configured at once: what a key has used outlives a reload of the keys.
_MAX_ACCOUNTS = 2 * MAX_KEYS


class TokenBucket:
    """It holds `limit` tokens and gets that many back in each period, steadily.

    What is missing is counted in nanoseconds times `limit`. One token is then a whole number, as is what comes back
    in a nanosecond, and no rounding ever gives a token away.
    """

    __slots__ = ("_at", "_missing", "_room", "_token", "limit")

    def __init__(self, rate: Rate, now: int) -> None:
        self.limit, seconds = rate
        self._token = round(seconds * _NANOSECONDS)
        self._room = self.limit * self._token
        self._missing = 0
        self._at = now

    def take(self, now: int) -> bool:
        """One token, if there is one. `now` is in nanoseconds of a clock that never goes back."""
        self.settle(now)
        missing = self._missing + self._token
        if missing > self._room:
            return False
        self._missing = missing
        return True

    def settle(self, now: int) -> None:
        """Put in what has come back by now: the answers below are as of the last time."""
        missing = self._missing - (now - self._at) * self.limit
        self._missing = missing if missing > 0 else 0
        self._at = now

    @property
    def remaining(self) -> int:
        return (self._room - self._missing) // self._token

    @property
    def reset_s(self) -> int:
        """Until it is full."""
        return -(-self._missing // (self.limit * _NANOSECONDS))

    @property
    def retry_after_s(self) -> int:
        """Until there is a token."""
        lacking = self._missing + self._token - self._room
        return max(0, -(-lacking // (self.limit * _NANOSECONDS)))

    def at_rate(self, rate: Rate, now: int) -> TokenBucket:
        """A bucket for a new rate from which as many tokens are gone."""
        self.settle(now)
        bucket = TokenBucket(rate, now)
        bucket._missing = min(bucket._room, self._missing * bucket._token // self._token)
        return bucket


class Account:
    """What one key has in use, and its limits as they are now."""

    __slots__ = ("_held_ns", "_limit_header", "bucket", "key", "max_concurrency", "running")

    def __init__(self, key: Key | None, rate: Rate | None, max_concurrency: int | None, now: int) -> None:
        self.running = 0
        self._held_ns = 0
        self.bucket: TokenBucket | None = None
        self.set_limits(key, rate, max_concurrency, now)

    def set_limits(self, key: Key | None, rate: Rate | None, max_concurrency: int | None, now: int) -> None:
        self.key = key
        self.max_concurrency = max_concurrency
        if rate is None:
            self.bucket = None
            return
        self.bucket = TokenBucket(rate, now) if self.bucket is None else self.bucket.at_rate(rate, now)
        self._limit_header = (b"x-ratelimit-limit-requests", b"%d" % rate[0])

    def headers(self) -> RawHeaders:
        bucket = self.bucket
        if bucket is None:
            return ()
        return (
            self._limit_header,
            (b"x-ratelimit-remaining-requests", b"%d" % bucket.remaining),
            (b"x-ratelimit-reset-requests", b"%d" % bucket.reset_s),
        )

    def end_one(self, held_ns: int) -> None:
        self.running -= 1
        self._held_ns += (held_ns - self._held_ns) // 8

    @property
    def free_in_s(self) -> int:
        """When one of the running requests may have ended, going by how long such requests took."""
        return -(-self._held_ns // (max(1, self.running) * _NANOSECONDS))

    def is_idle(self, now: int) -> bool:
        """Nothing would be different if it were forgotten."""
        if self.bucket is not None:
            self.bucket.settle(now)
        return self.running == 0 and (self.bucket is None or self.bucket.reset_s == 0)


class Admission:
    """A request that was let in; `leave` when it has been answered. `headers` are for its answer."""

    __slots__ = ("_account", "_clock", "_since", "headers")

    def __init__(self, account: Account, since: int, clock: Callable[[], int]) -> None:
        self._account: Account | None = account
        self._since = since
        self._clock = clock
        self.headers = account.headers()

    def leave(self) -> None:
        """Counts once, however often it is called."""
        account, self._account = self._account, None
        if account is not None:
            account.end_one(self._clock() - self._since)


class Limits:
    """`rate` and `max_concurrency` are for keys that have none of their own, and for a service without keys."""

    def __init__(
        self,
        rate: Rate | None = None,
        max_concurrency: int | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._rate = rate
        self._max_concurrency = max_concurrency
        self._clock = clock
        self._accounts: dict[str | None, Account] = {}

    def enter(self, key: Key | None) -> Admission:
        """Let a request in, or raise 429. None: a service without keys, all of whose callers share one account."""
        now = self._clock()
        account = self._accounts.get(None if key is None else key.id)
        # After a reload a key is a new object, and may have new limits.
        if account is None or account.key is not key:
            account = self._renewed(account, key, now)
        if account.max_concurrency is not None and account.running >= account.max_concurrency:
            if account.bucket is not None:
                account.bucket.settle(now)
            message = f"at most {account.max_concurrency} requests at a time"
            raise _refusal("too_many_requests", message, account, account.free_in_s)
        if account.bucket is not None and not account.bucket.take(now):
            message = "too many requests; Retry-After says when there is room again"
            raise _refusal("rate_limited", message, account, account.bucket.retry_after_s)
        account.running += 1
        return Admission(account, now, self._clock)

    def _renewed(self, account: Account | None, key: Key | None, now: int) -> Account:
        rate = self._rate if key is None or key.rate_limit is None else key.rate_limit
        most = self._max_concurrency if key is None or key.max_concurrency is None else key.max_concurrency
        if account is not None:
            account.set_limits(key, rate, most, now)
            return account
        if len(self._accounts) >= _MAX_ACCOUNTS:
            self._forget(now)
        account = Account(key, rate, most, now)
        self._accounts[None if key is None else key.id] = account
        return account

    def _forget(self, now: int) -> None:
        """Make room, for which keys must have come and gone by the thousand: the idle ones go, or else the oldest."""
        idle = [name for name, account in self._accounts.items() if account.is_idle(now)]
        for name in idle or [next(iter(self._accounts))]:
            del self._accounts[name]


def _refusal(code: str, message: str, account: Account, retry_after_s: int) -> ApiError:
    state = [(name.decode(), value.decode()) for name, value in account.headers()]
    return ApiError(429, code, message, headers=[("retry-after", str(max(1, retry_after_s))), *state])
