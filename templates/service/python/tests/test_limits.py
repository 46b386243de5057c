from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelship_service.errors import ApiError
from modelship_service.guard import limits as module
from modelship_service.guard.keys import Key
from modelship_service.guard.limits import Limits, TokenBucket

SECOND = 1_000_000_000

rates = st.tuples(st.integers(1, 12) | st.integers(1, 10**6), st.sampled_from([1.0, 60.0, 3600.0]))
# In thousandths of the time in which a token comes back.
pauses = st.lists(st.just(0) | st.integers(0, 3000) | st.integers(0, 10**6), min_size=1, max_size=30)


class Clock:
    def __init__(self) -> None:
        self.now = 12_345_678_987_654_321

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def key(name: str = "ci", rate: tuple[int, float] | None = None, most: int | None = None) -> Key:
    return Key(f"id-of-{name}", name, name.encode(), frozenset({"predict"}), None, rate, most)


def refusal(enter: Callable[[], object]) -> tuple[str, dict[str, str]]:
    with pytest.raises(ApiError) as caught:
        enter()
    assert caught.value.status == 429
    return caught.value.code, dict(caught.value.headers)


@settings(max_examples=500)
@given(rates, pauses)
def test_no_window_lets_more_through_than_the_burst_and_what_came_back(
    rate: tuple[int, float], pauses: list[int]
) -> None:
    limit, seconds = rate
    token = round(seconds * SECOND) // limit
    now = 10**16
    bucket = TokenBucket(rate, now)
    taken: list[int] = []
    for pause in pauses:
        now += pause * token // 1000
        taken += [now for _ in range(min(limit, 12) + 1) if bucket.take(now)]
    period = round(seconds * SECOND)
    for first, since in enumerate(taken):
        for last in range(first, len(taken)):
            assert (last - first + 1 - limit) * period <= (taken[last] - since) * limit


@settings(max_examples=500)
@given(rates, pauses)
def test_what_it_says_is_what_happens(rate: tuple[int, float], pauses: list[int]) -> None:
    token = round(rate[1] * SECOND) // rate[0]
    now = 10**16
    bucket = TokenBucket(rate, now)
    for pause in pauses:
        now += pause * token // 1000
        bucket.settle(now)
        remaining, wait = bucket.remaining, bucket.retry_after_s
        assert 0 <= remaining <= bucket.limit
        assert (remaining == 0) == (wait > 0)
        assert bucket.take(now) == (remaining > 0)
        if remaining == 0:
            now += wait * SECOND
            assert bucket.take(now)
    now += bucket.reset_s * SECOND
    bucket.settle(now)
    assert (bucket.remaining, bucket.reset_s) == (bucket.limit, 0)


def test_a_steady_caller_at_the_rate_is_never_refused() -> None:
    bucket = TokenBucket((7, 1.0), 0)
    assert all(bucket.take(-(-number * SECOND // 7)) for number in range(10_000))


@given(rates, rates, st.integers(0, 100))
def test_a_new_rate_gives_nothing_back(old: tuple[int, float], new: tuple[int, float], used: int) -> None:
    bucket = TokenBucket(old, 0)
    used = sum(bucket.take(0) for _ in range(used))
    assert bucket.at_rate(new, 0).remaining == max(0, new[0] - used)


def test_headers_count_down_and_say_when_it_is_full(clock: Clock) -> None:
    limits = Limits((3, 60.0), clock=clock)
    seen = [dict(limits.enter(key()).headers) for _ in range(2)]
    assert seen == [
        {
            b"x-ratelimit-limit-requests": b"3",
            b"x-ratelimit-remaining-requests": b"2",
            b"x-ratelimit-reset-requests": b"20",
        },
        {
            b"x-ratelimit-limit-requests": b"3",
            b"x-ratelimit-remaining-requests": b"1",
            b"x-ratelimit-reset-requests": b"40",
        },
    ]


def test_a_refusal_says_when_to_come_back_and_is_right(clock: Clock) -> None:
    limits = Limits((2, 60.0), clock=clock)
    limits.enter(key())
    limits.enter(key())
    clock.wait(10.5)
    code, headers = refusal(lambda: limits.enter(key()))
    assert (code, headers) == (
        "rate_limited",
        {
            "retry-after": "20",
            "x-ratelimit-limit-requests": "2",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "50",
        },
    )
    clock.wait(19)
    refusal(lambda: limits.enter(key()))
    clock.wait(1)
    limits.enter(key())


def test_so_many_at_once(clock: Clock) -> None:
    limits = Limits((10, 1.0), 2, clock=clock)
    first, second = limits.enter(key()), limits.enter(key())
    code, headers = refusal(lambda: limits.enter(key()))
    assert (code, headers["retry-after"]) == ("too_many_requests", "1")
    assert headers["x-ratelimit-remaining-requests"] == "8", "a request that was not let in costs nothing"
    first.leave()
    first.leave()
    limits.enter(key())
    refusal(lambda: limits.enter(key()))
    second.leave()
    limits.enter(key())


def test_at_the_cap_it_expects_what_requests_have_taken_so_far(clock: Clock) -> None:
    limits = Limits(None, 2, clock=clock)
    for _ in range(50):
        admission = limits.enter(key())
        clock.wait(30)
        admission.leave()
    limits.enter(key())
    limits.enter(key())
    assert refusal(lambda: limits.enter(key()))[1] == {"retry-after": "15"}


def test_without_limits_there_are_no_headers(clock: Clock) -> None:
    limits = Limits(clock=clock)
    assert all(limits.enter(key()).headers == () for _ in range(1000))


def test_each_key_has_its_own_account_and_may_have_its_own_limits(clock: Clock) -> None:
    limits = Limits((1, 60.0), 1, clock=clock)
    limits.enter(key("a")).leave()
    refusal(lambda: limits.enter(key("a")))
    limits.enter(key("b")).leave()
    own = key("c", (5, 1.0), 3)
    for _ in range(3):
        limits.enter(own)
    assert refusal(lambda: limits.enter(own))[0] == "too_many_requests"


def test_without_keys_all_callers_share_one_account(clock: Clock) -> None:
    limits = Limits((1, 60.0), clock=clock)
    limits.enter(None)
    refusal(lambda: limits.enter(None))
    limits.enter(key())


def test_a_reload_gives_nothing_back_and_brings_new_limits(clock: Clock) -> None:
    limits = Limits(clock=clock)
    running = [limits.enter(key("a", (4, 60.0), 2)) for _ in range(2)]
    again = key("a", (4, 60.0), 2)
    assert refusal(lambda: limits.enter(again))[0] == "too_many_requests"
    for admission in running:
        admission.leave()
    remaining = [dict(limits.enter(again).headers)[b"x-ratelimit-remaining-requests"] for _ in range(2)]
    assert remaining == [b"1", b"0"]
    wider = key("a", (6, 60.0), 5)
    assert dict(limits.enter(wider).headers)[b"x-ratelimit-remaining-requests"] == b"1"
    assert limits.enter(key("a")).headers == ()


def test_keys_that_came_and_went_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_ACCOUNTS", 100)
    limits = Limits((2, 1.0), clock=clock)
    busy = limits.enter(key("busy"))
    for number in range(1000):
        limits.enter(key(str(number))).leave()
        if number % 50 == 0:
            clock.wait(10)
        assert len(limits._accounts) <= 100
    clock.wait(10)
    limits.enter(key("busy"))
    busy.leave()
