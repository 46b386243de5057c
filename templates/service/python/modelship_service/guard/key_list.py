"""The keys as text: the document that `modelship keys` writes, or a plain list."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from modelship_service.guard.keys import MAX_KEY_BYTES, SCOPES, Key, KeyRing, KeysError

MAX_KEYS = 10_000
# Of a key that somebody thought up. It also tells the padding of a base64 key from a key after its name.
MIN_PLAIN_LENGTH = 16

_PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_HASH = re.compile(r"sha256:([0-9A-Fa-f]{64})")
_OUR_KEY = re.compile(r"ms_[a-z0-9]{10}_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def parse_keys(text: str) -> list[Key]:
    """A JSON document, or entries `name=KEY`, `KEY` and `name=sha256:HEX` with commas or new lines between them."""
    text = text.removeprefix("\ufeff").strip()
    if not text:
        raise KeysError("there is nothing in it")
    keys = _from_document(text) if text[0] in "{[" else _from_list(text)
    KeyRing(keys)
    return keys


def _from_list(text: str) -> list[Key]:
    entries = [entry for part in re.split(r"[,\r\n]", text) if (entry := part.strip())]
    _bound(len(entries))
    return [_from_entry(entry, number) for number, entry in enumerate(entries, 1)]


def _from_entry(entry: str, number: int) -> Key:
    left, equals, right = entry.partition("=")
    name, secret = (left.strip(), right.strip()) if equals else (f"key-{number}", entry)
    if not _is_name(name):
        raise KeysError(f"entry {number} has no proper name before the =: up to 64 letters, digits and . _ @ -")
    if found := _HASH.fullmatch(secret):
        digest = bytes.fromhex(found[1])
    elif MIN_PLAIN_LENGTH <= len(secret) <= MAX_KEY_BYTES and re.fullmatch(r"[!-~]+", secret):
        digest = hashlib.sha256(secret.encode()).digest()
    else:
        raise KeysError(
            f"entry {number} is no key: {MIN_PLAIN_LENGTH} to {MAX_KEY_BYTES} visible ASCII characters are needed, "
            "with name= in front when there is a = in them"
        )
    return Key(digest.hex()[:10], name, digest, frozenset({"predict"}))


def _from_document(text: str) -> list[Key]:
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except KeysError:
        raise
    except (ValueError, RecursionError):
        # The parser's own message may quote the text.
        raise KeysError("it is not valid JSON") from None
    if not isinstance(document, dict) or set(document) != {"keys"} or not isinstance(document["keys"], list):
        raise KeysError('it must be an object with the one key "keys", a list')
    _bound(len(document["keys"]))
    return [_from_object(entry, number) for number, entry in enumerate(document["keys"], 1)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise KeysError("an object in it has the same key twice")
    return found


def _from_object(entry: Any, number: int) -> Key:
    if not isinstance(entry, dict):
        _refuse(number, "is not an object")
    if unknown := len(entry.keys() - _FIELDS):
        _refuse(number, f"has {unknown} unknown keys; known are {', '.join(_FIELDS)}")
    read: dict[str, Any] = {}
    for field, (reader, needed) in _FIELDS.items():
        value = entry.get(field)
        if value is None and field not in ("name", "hash", "scopes"):
            continue
        try:
            read[field] = reader(value)
        except ValueError:
            _refuse(read.get("name", number), f'has a "{field}" that is not {needed}')
    digest = read["hash"]
    return Key(
        read.get("id", digest.hex()[:10]),
        read["name"],
        digest,
        read["scopes"],
        read.get("expires"),
        read.get("rate_limit"),
        read.get("max_concurrency"),
    )


def _refuse(entry: str | int, what: str) -> NoReturn:
    raise KeysError(f"entry {entry} {what}")


def _bound(count: int) -> None:
    if count > MAX_KEYS:
        raise KeysError(f"there are more than {MAX_KEYS} keys in it")


def _is_name(text: str) -> bool:
    """A key in the place of its name would be shown everywhere."""
    return _NAME.fullmatch(text) is not None and _OUR_KEY.fullmatch(text) is None


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _is_name(value):
        raise ValueError
    return value


def _id(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value) or _OUR_KEY.fullmatch(value):
        raise ValueError
    return value


def _hash(value: Any) -> bytes:
    found = _HASH.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError
    return bytes.fromhex(found[1])


def _scopes(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not value or any(one not in SCOPES for one in value):
        raise ValueError
    return frozenset(value)


def _time(value: Any) -> float:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError
    day, clock, fraction, zone = found.groups()
    moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    return moment.timestamp() + float(fraction or 0)


def _whole(value: Any, highest: int) -> int:
    if type(value) is not int or not 1 <= value <= highest:
        raise ValueError
    return value


def _rate(value: Any) -> tuple[int, float]:
    if not isinstance(value, dict) or set(value) != {"requests", "per"} or value["per"] not in list(_PERIODS):
        raise ValueError
    return _whole(value["requests"], 10**9), _PERIODS[value["per"]]


# Each field with what reads it, and what it has to be. The name goes first: errors tell the entry by it.
_FIELDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "name": (_name, "up to 64 letters, digits and . _ @ -"),
    "id": (_id, "up to 64 letters, digits, _ and -"),
    "hash": (_hash, "sha256: and 64 hexadecimal digits"),
    "scopes": (_scopes, f"a list of {', '.join(SCOPES)}"),
    "created": (_time, "a time such as 2027-01-31T12:00:00Z"),
    "expires": (_time, "a time such as 2027-01-31T12:00:00Z"),
    "rate_limit": (_rate, 'such as {"requests": 60, "per": "minute"}'),
    "max_concurrency": (lambda value: _whole(value, 10**6), "a whole number from 1"),
}
