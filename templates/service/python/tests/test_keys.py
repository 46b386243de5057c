import asyncio
import base64
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelship_service.guard.key_file import KeySource
from modelship_service.guard.key_list import MAX_KEYS, parse_keys
from modelship_service.guard.keys import Expired, Key, KeyRing, KeysError, presented_key
from modelship_service.observe.logs import Log

SECRET = "ms_k3j9k3j9k3_" + "a_B-" * 10 + "xyz"
OTHER = "another-key-of-somebody"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def hashed(text: str) -> str:
    return f"sha256:{digest(text).hex()}"


def entry(**changes: Any) -> dict[str, Any]:
    return {"id": "k3j9k3j9k3", "name": "ci", "hash": hashed(SECRET), "scopes": ["predict"], **changes}


def document(*entries: Any) -> str:
    return json.dumps({"keys": list(entries)})


def refusal(text: str) -> str:
    with pytest.raises(KeysError) as caught:
        parse_keys(text)
    assert SECRET not in str(caught.value)
    assert OTHER not in str(caught.value)
    return str(caught.value)


def test_a_document_says_all_there_is_to_a_key() -> None:
    text = document(
        entry(
            scopes=["predict", "metrics"],
            created="2026-11-25T10:00:00Z",
            expires="2027-01-01T01:00:00.5+01:00",
            rate_limit={"requests": 60, "per": "minute"},
            max_concurrency=8,
        )
    )
    scopes = frozenset({"predict", "metrics"})
    assert parse_keys(text) == [
        Key("k3j9k3j9k3", "ci", digest(SECRET), scopes, 1798761600.5, (60, 60.0), 8),
    ]


def test_what_a_document_leaves_out() -> None:
    nothing = dict.fromkeys(["created", "expires", "rate_limit", "max_concurrency"])
    assert parse_keys(document(entry(**nothing))) == parse_keys(document(entry()))
    [key] = parse_keys(document({"name": "ci", "hash": hashed(SECRET), "scopes": ["admin"]}))
    assert key.id == digest(SECRET).hex()[:10]
    assert parse_keys('{"keys": []}') == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"ci={SECRET}", ["ci"]),
        (SECRET, ["key-1"]),
        (f"ci={hashed(SECRET)}", ["ci"]),
        (hashed(SECRET).upper().replace("SHA", "sha"), ["key-1"]),
        (f" ci = {SECRET} ,\n\n{OTHER},", ["ci", "key-2"]),
        (f"\ufeff{SECRET}\r\nweb={OTHER}\r\n", ["key-1", "web"]),
        (f"ci={OTHER}==", ["ci"]),
    ],
)
def test_a_list(text: str, names: list[str]) -> None:
    keys = parse_keys(text)
    assert [key.name for key in keys] == names
    assert all(key.scopes == {"predict"} and key.rate_limit is None for key in keys)
    presented = OTHER + "==" if text.endswith("==") else SECRET
    assert KeyRing(keys).find(presented.encode(), 0.0) == keys[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing in it"),
        ("short", "entry 1 is no key"),
        (f"{OTHER}, two words in one entry", "entry 2 is no key"),
        (f"ci={OTHER}é", "entry 1 is no key"),
        (f"{OTHER}=", "entry 1 is no key"),
        (f"a/b={SECRET}", "entry 1 has no proper name"),
        (f"{SECRET}={OTHER}", "entry 1 has no proper name"),
        ("x" * 513, "entry 1 is no key"),
        (f"ci={SECRET},ci={OTHER}", "two keys are named ci"),
        (f"a={SECRET},b={hashed(SECRET)}", "a and b are the same key"),
        ("\n".join(f"sha256:{number:064x}" for number in range(MAX_KEYS + 1)), "more than 10000 keys"),
    ],
)
def test_a_wrong_list_is_refused(text: str, said: str) -> None:
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"keys": [', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        (f'["{SECRET}"]', "must be an object"),
        ('{"keys": [], "more": 1}', "must be an object"),
        ('{"keys": {}}', "must be an object"),
        (document(SECRET), "entry 1 is not an object"),
        (document(entry(), entry(name="b", **{SECRET: 1})), "entry 2 has 1 unknown keys; known are name, id, hash"),
        ('{"keys": [{"name": "a", "name": "b"}]}', "same key twice"),
        (document(entry(name=None)), 'entry 1 has a "name"'),
        (document(entry(name=SECRET)), 'entry 1 has a "name"'),
        (document(entry(name="two words")), 'entry 1 has a "name"'),
        (document(entry(id=1)), 'entry ci has a "id"'),
        (document(entry(id=SECRET)), 'entry ci has a "id"'),
        (document(entry(hash=SECRET)), 'entry ci has a "hash"'),
        (document(entry(hash="sha256:12")), 'entry ci has a "hash"'),
        (document(entry(scopes=[])), 'entry ci has a "scopes" that is not a list of predict, admin, metrics'),
        (document(entry(scopes="predict")), 'entry ci has a "scopes"'),
        (document(entry(scopes=["root"])), 'entry ci has a "scopes"'),
        (document(entry(scopes=[["predict"]])), 'entry ci has a "scopes"'),
        (document(entry(created="yesterday")), 'entry ci has a "created"'),
        (document(entry(expires="2027-01-01")), 'entry ci has a "expires"'),
        (document(entry(expires="2027-02-30T00:00:00Z")), 'entry ci has a "expires"'),
        (document(entry(expires="0000-01-01T00:00:00Z")), 'entry ci has a "expires"'),
        (document(entry(expires=1798761600)), 'entry ci has a "expires"'),
        (document(entry(rate_limit="60/minute")), 'entry ci has a "rate_limit"'),
        (document(entry(rate_limit={"requests": 60})), 'entry ci has a "rate_limit"'),
        (document(entry(rate_limit={"requests": 0, "per": "minute"})), 'entry ci has a "rate_limit"'),
        (document(entry(rate_limit={"requests": True, "per": "minute"})), 'entry ci has a "rate_limit"'),
        (document(entry(rate_limit={"requests": 60, "per": "day"})), 'entry ci has a "rate_limit"'),
        (document(entry(rate_limit={"requests": 60, "per": []})), 'entry ci has a "rate_limit"'),
        (document(entry(max_concurrency=0)), 'entry ci has a "max_concurrency"'),
        (document(entry(max_concurrency=1.5)), 'entry ci has a "max_concurrency"'),
        (document(entry(), entry(hash=hashed(OTHER), id="b")), "two keys are named ci"),
        (document(entry(), entry(name="b", id="b")), "ci and b are the same key"),
        (document(entry(), entry(name="b", hash=hashed(OTHER))), "b has the id of another key"),
    ],
)
def test_a_wrong_document_is_refused(text: str, said: str) -> None:
    assert said in refusal(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["predict", "ci"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["requests", "per"]), inner),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(list(entry(expires=1, rate_limit=1, max_concurrency=1, created=1))), json_values)
)
def test_no_value_in_a_document_is_anything_but_taken_or_refused(changes: dict[str, Any]) -> None:
    try:
        assert len(parse_keys(document(entry(**changes)))) == 1
    except KeysError as problem:
        assert str(problem).startswith("entry ")


def test_a_key_is_found_until_it_expires() -> None:
    [key] = keys = parse_keys(document(entry(expires="2027-01-01T00:00:00Z")))
    ring = KeyRing(keys)
    assert len(ring) == 1
    assert key.expires is not None
    assert ring.find(SECRET.encode(), key.expires - 0.001) is key
    assert ring.find(SECRET.encode(), key.expires) == Expired(key)


@pytest.mark.parametrize(
    "presented", [b"", SECRET[:-1].encode(), "ключ".encode(), b"\xff\x00", digest(SECRET), b"x" * 10**6]
)
def test_any_other_bytes_are_no_key(presented: bytes) -> None:
    assert KeyRing(parse_keys(SECRET)).find(presented, 0.0) is None


def test_scopes() -> None:
    def key(*scopes: str) -> Key:
        return parse_keys(document(entry(scopes=list(scopes))))[0]

    assert [key("predict").allows(scope) for scope in ("predict", "metrics", "admin")] == [True, False, False]
    assert [key("admin").allows(scope) for scope in ("predict", "metrics", "admin")] == [True, True, True]


def basic(credentials: bytes) -> bytes:
    return b"Basic " + base64.b64encode(credentials)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({b"authorization": b"Bearer k"}, b"k"),
        ({b"authorization": b"bEaReR   k "}, b"k"),
        ({b"authorization": b"Bearer"}, None),
        ({b"authorization": b"Bearer "}, None),
        ({b"authorization": b"Bearerk"}, None),
        ({b"authorization": b"k"}, None),
        ({b"authorization": b"Digest k"}, None),
        ({b"x-api-key": b" k "}, b"k"),
        ({b"x-api-key": b""}, None),
        ({b"x-api-key": b"k", b"authorization": b"Bearer for-the-proxy"}, b"k"),
        ({b"authorization": basic(b"user:k")}, b"k"),
        ({b"authorization": basic(b":k:with:colons")}, b"k:with:colons"),
        ({b"authorization": basic(b"user:\xff")}, b"\xff"),
        ({b"authorization": basic(b"user:")}, None),
        ({b"authorization": basic(b"no colon")}, None),
        ({b"authorization": b"Basic dXNlcjpr!"}, None),
        ({b"authorization": b"Basic dXNlcjp"}, None),
        ({b"authorization": b"Basic \xff\xff"}, None),
    ],
)
def test_where_a_request_has_its_key(headers: dict[bytes, bytes], expected: bytes | None) -> None:
    assert presented_key(headers) == expected


@given(st.dictionaries(st.sampled_from([b"authorization", b"x-api-key"]), st.binary() | st.binary().map(basic)))
def test_no_header_is_too_much_for_it(headers: dict[bytes, bytes]) -> None:
    presented = presented_key(headers)
    assert presented is None or KeyRing(parse_keys(SECRET)).find(presented, 0.0) is None


class Source:
    """A key file and what the service says of it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "keys.json"
        self._log_file = folder / "log"
        self._log_file.touch()

    def open(self, api_keys: str = "", file: bool = True) -> KeySource:
        fd = os.open(self._log_file, os.O_WRONLY | os.O_APPEND)
        return KeySource(api_keys, self.file if file else None, Log(fd))

    def write(self, text: str) -> None:
        beside = self.file.with_name("beside")
        beside.write_text(text)
        beside.replace(self.file)

    @property
    def said(self) -> list[tuple[str, str, Any]]:
        lines = [json.loads(line) for line in self._log_file.read_text().splitlines()]
        return [(line["level"], line["event"], line.get("count", line.get("reason"))) for line in lines]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def knows(keys: KeySource, *secrets: str) -> bool:
    return len(keys.ring) == len(secrets) and all(keys.ring.find(secret.encode(), 0.0) for secret in secrets)


def test_keys_of_a_variable_and_of_a_file_are_all_known(source: Source) -> None:
    source.write(document(entry()))
    keys = source.open(f"web={OTHER}")
    assert keys.configured
    assert knows(keys, SECRET, OTHER)
    assert source.said == [("info", "keys_loaded", 2)]


def test_without_keys_it_says_nothing(source: Source) -> None:
    assert not source.open(file=False).configured
    assert source.said == []


def test_a_file_without_keys_still_locks_the_door(source: Source) -> None:
    source.write('{"keys": []}')
    assert source.open().configured


def test_it_does_not_start_with_keys_that_it_cannot_read(source: Source) -> None:
    with pytest.raises(KeysError, match=f"^{source.file}: No such file"):
        source.open()
    with pytest.raises(KeysError, match=r"^MODELSHIP_API_KEYS: entry 1 is no key"):
        source.open("short", file=False)
    source.write(f"ci={SECRET}")
    with pytest.raises(KeysError, match="two keys are named ci"):
        source.open(f"ci={OTHER}")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "No such file"),
        (lambda file: file.write_text(""), "nothing in it"),
        (lambda file: file.write_bytes(b"\xff" * 20), "not UTF-8"),
        (lambda file: file.write_bytes(b"x" * (1024 * 1024 + 1)), "larger than"),
        (lambda file: (file.unlink(), file.mkdir()), "Is a directory"),
        (lambda file: (file.unlink(), os.mkfifo(file)), "not a regular file"),
    ],
)
def test_a_file_that_broke_keeps_the_old_keys(source: Source, spoil: Callable[[Path], Any], said: str) -> None:
    source.write(SECRET)
    keys = source.open()
    spoil(source.file)
    keys.reload()
    assert knows(keys, SECRET)
    [_, (level, event, reason)] = source.said
    assert (level, event) == ("error", "keys_invalid")
    assert str(source.file) in reason
    assert said in reason


def test_a_changed_file_is_read_by_itself_and_told_once(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        keys = source.open()
        watching = asyncio.create_task(keys.watch())

        async def until(count: int) -> None:
            async def look() -> None:
                while len(source.said) < count:
                    await asyncio.sleep(0.005)

            await asyncio.wait_for(look(), 10)

        source.write(document(entry(hash=hashed(OTHER))))
        await until(2)
        assert knows(keys, OTHER)
        source.file.unlink()
        await until(3)
        assert knows(keys, OTHER)
        # Many looks later it has still been said once.
        await asyncio.sleep(0.1)
        source.write(f"{SECRET}\n{OTHER}")
        await until(4)
        assert knows(keys, SECRET, OTHER)
        watching.cancel()

    monkeypatch.setattr("modelship_service.guard.key_file.POLL_S", 0.005)
    source.write(SECRET)
    asyncio.run(story())
    assert [said[:2] for said in source.said] == [
        ("info", "keys_loaded"),
        ("info", "keys_loaded"),
        ("error", "keys_invalid"),
        ("info", "keys_loaded"),
    ]
