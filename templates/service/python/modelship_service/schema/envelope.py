"""The body of a prediction: one row, or many as `{"rows": [...]}`; and what to say when it is neither."""

from __future__ import annotations

import msgspec

from modelship_service.errors import ApiError


class _Envelope(msgspec.Struct):
    rows: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_envelope = msgspec.json.Decoder(_Envelope)
_any_json = msgspec.json.Decoder(msgspec.Raw)


def rows_of(body: bytes) -> msgspec.Raw | None:
    """The text of `rows` when the body is an object that has it. Refuses what is not JSON, NaN included."""
    if not body:
        raise bad_json("the body is empty")
    try:
        try:
            rows = _envelope.decode(body).rows
        except msgspec.ValidationError:
            _any_json.decode(body)
            return None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise not_json(error) from None
    return None if rows is msgspec.UNSET else rows


def not_json(error: Exception) -> ApiError:
    if isinstance(error, RecursionError):
        return bad_json("it is nested too deeply")
    return bad_json("it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error))


def bad_json(reason: str) -> ApiError:
    return ApiError(400, "invalid_json", f"the body is not the JSON that is expected: {reason}")


def invalid(details: list[dict[str, str]], count: int = 1) -> ApiError:
    first = details[0]
    message = f"{first['path']}: {first['rule']}"
    if count > 1 and first["type"] != "too_many":
        message += f" (and {count - 1} more)"
    return ApiError(422, "invalid_input", message, details=details)


def no_rows() -> ApiError:
    return invalid([{"path": "rows", "rule": "a value is needed", "type": "missing"}])
