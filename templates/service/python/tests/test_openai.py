"""OpenAI's own client, unmodified, against a live service."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest
from conftest import Running
from hypothesis import given, settings
from hypothesis import strategies as st

from modelship_service.api.openai import requests
from modelship_service.errors import ApiError
from modelship_service.schema.methods import Method, read_methods
from modelship_service.schema.read import read_schema
from modelship_service.schema.schema import SignatureError

CHAT_MODEL = """
import threading
import time
from pathlib import Path


class Model:
    def load(self, files: Path) -> None:
        self.files = files
        self.go_on = threading.Event()

    def chat(self, messages, *, max_tokens=None, temperature=1.0, stop=None, seed=None, tools=None):
        text = messages[-1]["content"]
        if text == "options":
            yield repr(dict(max_tokens=max_tokens, temperature=temperature, stop=stop, seed=seed))
        elif text == "messages":
            yield repr(messages)
        elif text == "raise":
            raise ValueError("secret of the user")
        elif text == "raise later":
            yield "so far"
            raise ValueError("secret of the user")
        elif text == "length":
            yield {"content": "cut", "finish_reason": "length"}
            yield {"usage": {"prompt_tokens": 5, "completion_tokens": 1}}
        elif text == "nonsense":
            yield {"contents": "no such key"}
        elif text == "surrogate":
            yield "\\ud800"
        elif text == "nothing":
            return
        elif text == "slow":
            time.sleep(0.5)
            yield "at last"
        elif text == "tool":
            yield {"tool_calls": [{"id": "call_1", "function": {"name": "add", "arguments": '{"a": '}}]}
            yield {"tool_calls": [{"function": {"arguments": "1}"}}]}
            yield {"tool_calls": [{"id": "call_2", "function": {"name": "end", "arguments": "{}"}}]}
        elif text == "forever":
            try:
                while True:
                    yield "more "
                    time.sleep(0.01)
            finally:
                print("generator ended", flush=True)
        else:
            for word in text.split():
                yield word + " "

    def complete(self, prompt, **options):
        return f"{prompt}: {sorted(options.items())}"

    def count_tokens(self, text):
        return len(text.split())
"""

EMBED_MODEL = """
import os
from pathlib import Path


class Model:
    def load(self, files: Path) -> None:
        self.calls = 0

    def embed(self, texts, dimensions=3):
        if "refuse" in texts:
            raise ValueError("secret of the user")
        if "ragged" in texts:
            return [[1.0], [1.0, 2.0]]
        if "nan" in texts:
            return [[float("nan")] for _ in texts]
        return [[float(len(text)), 0.5, 0.1, 7.0][:dimensions] for text in texts]
"""

BOTH_MODEL = """
from pathlib import Path
from pydantic import BaseModel


class Input(BaseModel):
    number: float


class Model:
    def load(self, files: Path) -> None: ...

    def predict(self, rows: list[Input]) -> list[Input]:
        return rows

    def complete(self, prompt: str, max_tokens: int) -> dict:
        return {"content": f"{prompt} {max_tokens}", "finish_reason": "length"}
"""


def client_of(service: Running, key: str = "none", **options: Any) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"http://127.0.0.1:{service.port}/v1", api_key=key, max_retries=0, timeout=20, **options
    )


@pytest.fixture(scope="module")
def chatting(start: Callable[..., Running]) -> Running:
    return start(CHAT_MODEL, MODELSHIP_NAME="talker", MODELSHIP_HEARTBEAT_S="0.1").ready()


@pytest.fixture(scope="module")
def client(chatting: Running) -> openai.OpenAI:
    return client_of(chatting)


@pytest.fixture(scope="module")
def embedding(start: Callable[..., Running]) -> openai.OpenAI:
    return client_of(start(EMBED_MODEL, MODELSHIP_NAME="vectors").ready())


def say(client: openai.OpenAI, text: Any, **options: Any) -> Any:
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="talker", messages=messages, **options)


def streamed(client: openai.OpenAI, text: str, **options: Any) -> list[Any]:
    return list(say(client, text, stream=True, **options))


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert [(one.id, one.object) for one in client.models.list()] == [("talker", "model")]
    assert client.models.retrieve("talker").id == "talker"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("other")
    assert raised.value.code == "model_not_found"


def test_a_chat_is_answered_with_its_usage(client: openai.OpenAI) -> None:
    answer = say(client, "one two three")
    assert answer.choices[0].message.content == "one two three "
    assert (answer.choices[0].message.role, answer.choices[0].finish_reason) == ("assistant", "stop")
    assert (answer.object, answer.model, answer.id[:9]) == ("chat.completion", "talker", "chatcmpl-")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (3, 3, 6)
    assert answer._request_id


def test_a_stream_has_its_role_first_and_its_reason_last(client: openai.OpenAI) -> None:
    chunks = streamed(client, "one two")
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [delta.role for delta in deltas] == ["assistant", None, None, None]
    assert "".join(delta.content or "" for delta in deltas) == "one two "
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_ends_with_its_usage_where_that_is_asked_for(client: openai.OpenAI) -> None:
    *_, reason, last = streamed(client, "one two", stream_options={"include_usage": True})
    assert reason.choices[0].finish_reason == "stop"
    assert (last.choices, last.usage.total_tokens) == ([], 4)


def test_the_model_says_why_it_ended_and_what_was_used(client: openai.OpenAI) -> None:
    answer = say(client, "length")
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("cut", "length")
    assert answer.usage.total_tokens == 6
    chunks = streamed(client, "length", stream_options={"include_usage": True})
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None, None, "length"]
    assert chunks[-1].usage.prompt_tokens == 5


def test_an_answer_may_be_empty(client: openai.OpenAI) -> None:
    assert say(client, "nothing").choices[0].message.content == ""
    assert [chunk.choices[0].delta.role for chunk in streamed(client, "nothing")] == ["assistant", None]


def test_the_model_gets_the_options_that_it_names_and_its_own_defaults(client: openai.OpenAI) -> None:
    said = say(client, "options", max_completion_tokens=7, stop="END", seed=3, top_p=0.5, user="somebody")
    assert eval(said.choices[0].message.content) == {"max_tokens": 7, "temperature": 1.0, "stop": ["END"], "seed": 3}


def test_text_parts_are_one_string_and_other_parts_stay(client: openai.OpenAI) -> None:
    parts: list[Any] = [{"type": "text", "text": "mess"}, {"type": "text", "text": "ages"}]
    assert eval(say(client, parts).choices[0].message.content) == [{"role": "user", "content": "messages"}]
    picture = [{"type": "image_url", "image_url": {"url": "data:,"}}]
    messages: list[Any] = [{"role": "user", "content": picture}, {"role": "user", "content": "messages", "name": "me"}]
    answer = client.chat.completions.create(model="talker", messages=messages)
    assert eval(answer.choices[0].message.content) == messages


def test_tool_calls_come_whole_and_in_parts(client: openai.OpenAI) -> None:
    tools: list[Any] = [{"type": "function", "function": {"name": "add"}}]
    choice = say(client, "tool", tools=tools).choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert [call.to_dict() for call in choice.message.tool_calls] == [
        {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
        {"id": "call_2", "type": "function", "function": {"name": "end", "arguments": "{}"}},
    ]
    deltas = [chunk.choices[0].delta for chunk in streamed(client, "tool", tools=tools)]
    calls = [call for delta in deltas for call in delta.tool_calls or []]
    assert [(call.index, call.id, call.function.arguments) for call in calls] == [
        (0, "call_1", '{"a": '),
        (0, None, "1}"),
        (1, "call_2", "{}"),
    ]


def test_a_completion(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="talker", prompt="once", max_tokens=5, stop=["x"])
    assert answer.choices[0].text == "once: [('max_tokens', 5), ('stop', ['x'])]"
    assert (answer.object, answer.choices[0].finish_reason, answer.id[:5]) == ("text_completion", "stop", "cmpl-")
    chunks = list(client.completions.create(model="talker", prompt=["once"], stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "once: []"
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("change", "param", "rule"),
    [
        ({"messages": []}, "messages", "Expected `array` of length >= 1"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role", "a value is needed"),
        ({"messages": [{"role": "owner", "content": "hi"}]}, "messages[0].role", "is none of the values"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content", "Expected `str | array | null`"),
        ({"temperature": 3}, "temperature", "Expected `float` <= 2.0"),
        ({"n": 2}, "n", "Expected `int` <= 1"),
        ({"logprobs": True}, "logprobs", "does not support"),
        ({"response_format": {"type": "json_object"}}, "response_format", "does not support"),
        ({"max_tokens": "many"}, "max_tokens", "Expected `int | null`, got `str`"),
    ],
)
def test_a_wrong_request_names_its_path(client: openai.OpenAI, change: Any, param: str, rule: str) -> None:
    asked = {"model": "talker", "messages": [{"role": "user", "content": "hi"}], **change}
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/chat/completions", body=asked, cast_to=object)
    error = raised.value
    assert (error.param, error.type, error.code) == (param, "invalid_request_error", "invalid_request")
    assert error.message.find(f"{param}: ") > 0 and rule in error.message
    assert "owner" not in error.message


@pytest.mark.parametrize(("body", "code"), [(b"", "invalid_json"), (b"{", "invalid_json"), (b"[]", "invalid_request")])
def test_what_is_no_request_is_400(chatting: Running, body: bytes, code: str) -> None:
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
        answer = chatting.ask("POST", path, body)
        assert (answer.status, answer.code) == (400, code)
        assert answer.json["error"].keys() == {"message", "type", "param", "code"}


@pytest.mark.parametrize("prompt", [[], [1, 2], [[1], [2]], ["one", "two"], [None]])
def test_a_prompt_is_one_text(client: openai.OpenAI, prompt: Any) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.completions.create(model="talker", prompt=prompt)
    assert raised.value.param in ("prompt", "prompt[0]")


def test_an_unknown_model_and_a_method_that_is_not_there_are_404(client: openai.OpenAI, chatting: Running) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "hi"}])
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError, match="this model has no embed: it has chat, complete"):
        client.embeddings.create(model="talker", input="hi")
    answer = chatting.ask("POST", "/v1/predict", b"{}")
    assert (answer.status, answer.code) == (404, "not_found")
    assert "has no predict" in answer.json["error"]["message"]


@pytest.mark.parametrize("text", ["raise", "nonsense", "surrogate"])
def test_a_model_that_fails_is_500_and_not_asked_again(client: openai.OpenAI, chatting: Running, text: str) -> None:
    patient = client.with_options(max_retries=2)
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError) as raised:
            say(patient, text, stream=stream)
        error = raised.value
        assert (error.code, error.type, error.response.headers["x-should-retry"]) == (
            "model_error",
            "server_error",
            "false",
        )
        assert "secret" not in error.message
        assert chatting.event("model_error", request_id=error.request_id)


def test_an_error_in_the_middle_of_a_stream_reaches_the_client(client: openai.OpenAI) -> None:
    seen = []
    with pytest.raises(openai.APIError, match="the model failed") as raised:
        for chunk in say(client, "raise later", stream=True):
            seen.append(chunk.choices[0].delta.content)
    assert seen == ["", "so far"]
    assert raised.value.code == "model_error"


def test_silence_is_broken_by_heartbeats_that_clients_ignore(client: openai.OpenAI, chatting: Running) -> None:
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed(client, "slow")) == "at last"
    body = {"model": "talker", "messages": [{"role": "user", "content": "slow"}], "stream": True}
    frames = chatting.ask("POST", "/v1/chat/completions", json.dumps(body).encode()).body.split(b"\n\n")
    assert frames[0].startswith(b":") and frames[-2:] == [b"data: [DONE]", b""]


def test_a_client_that_leaves_ends_the_generator(client: openai.OpenAI, chatting: Running) -> None:
    with say(client, "forever", stream=True) as stream:
        assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "more "]
    with pytest.raises(openai.APITimeoutError):
        say(client.with_options(timeout=0.3), "forever")
    chatting.until(lambda: chatting.stderr.count("generator ended") == 2 or None, "both generators' ends")
    assert say(client, "still here").choices[0].message.content == "still here "


def test_an_answer_that_takes_too_long_is_given_up(start: Callable[..., Running]) -> None:
    service = start(CHAT_MODEL, MODELSHIP_NAME="talker", MODELSHIP_TIMEOUT_S="0.3").ready()
    client = client_of(service)
    with pytest.raises(openai.InternalServerError, match=r"within 0\.3 s") as raised:
        say(client, "forever")
    assert (raised.value.status_code, raised.value.code) == (504, "timeout")
    service.until(lambda: "generator ended" in service.stderr or None, "the generator's end")


def test_streams_are_bounded(start: Callable[..., Running]) -> None:
    client = client_of(start(CHAT_MODEL, MODELSHIP_NAME="talker", MODELSHIP_MAX_STREAMS="1").ready())
    with say(client, "forever", stream=True) as stream:
        next(stream)
        with pytest.raises(openai.RateLimitError) as raised:
            say(client, "hi")
        assert (raised.value.code, raised.value.response.headers["retry-after"]) == ("overloaded", "1")


def test_the_client_for_asyncio(chatting: Running) -> None:
    async def talk() -> tuple[str, list[str]]:
        options: Any = {"base_url": f"http://127.0.0.1:{chatting.port}/v1", "api_key": "none", "max_retries": 0}
        async with openai.AsyncOpenAI(**options) as client:

            async def one(text: str) -> str:
                stream = await client.chat.completions.create(
                    model="talker", messages=[{"role": "user", "content": text}], stream=True
                )
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            answer = await client.completions.create(model="talker", prompt="async")
            return answer.choices[0].text, await asyncio.gather(*(one(f"number {index}") for index in range(10)))

    text, said = asyncio.run(talk())
    assert text == "async: []"
    assert said == [f"number {index} " for index in range(10)]


def test_embeddings_are_floats_or_base64(embedding: openai.OpenAI) -> None:
    texts = ["a", "four", ""]
    for form in ("float", "base64"):
        raw = embedding.embeddings.with_raw_response.create(model="vectors", input=texts, encoding_format=form)
        data = json.loads(raw.text)["data"]
        assert [one["index"] for one in data] == [0, 1, 2]
        vectors = [one["embedding"] for one in data]
        if form == "base64":
            vectors = [list(struct.unpack("<3f", base64.b64decode(one))) for one in vectors]
        assert [vector[:2] for vector in vectors] == [[1.0, 0.5], [4.0, 0.5], [0.0, 0.5]]
        assert vectors[0][2] == struct.unpack("<f", struct.pack("<f", 0.1))[0]
    assert embedding.embeddings.create(model="vectors", input="four").data[0].embedding[0] == 4.0
    assert "usage" not in json.loads(raw.text)


def test_many_texts_are_more_than_a_batch(embedding: openai.OpenAI) -> None:
    texts = ["x" * index for index in range(100)]
    answer = embedding.embeddings.create(model="vectors", input=texts, dimensions=2)
    assert [one.embedding for one in answer.data] == [[float(index), 0.5] for index in range(100)]


@pytest.mark.parametrize("given", [[], [1, 2], [[1, 2]], [None], ["x"] * 1025])
def test_wrong_input_for_embeddings(embedding: openai.OpenAI, given: Any) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        embedding.embeddings.create(model="vectors", input=given)
    assert raised.value.param in ("input", "input[0]")


@pytest.mark.parametrize("texts", [["refuse"], ["ragged", "x"], ["nan"]])
def test_an_embedding_that_fails_is_500(embedding: openai.OpenAI, texts: list[str]) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        embedding.embeddings.create(model="vectors", input=texts)
    assert raised.value.code == "model_error"


def test_embeddings_share_batches_and_fail_alone(embedding: openai.OpenAI) -> None:
    async def ask() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=embedding.base_url, api_key="none", max_retries=0) as client:
            asked = [
                client.embeddings.create(model="vectors", input="refuse" if index == 7 else "x" * index)
                for index in range(20)
            ]
            return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(ask())
    assert isinstance(answers.pop(7), openai.InternalServerError)
    assert [one.data[0].embedding[0] for one in answers] == [float(index) for index in range(20) if index != 7]


def test_a_model_may_have_predict_as_well_and_several_versions(start: Callable[..., Running]) -> None:
    entry = "v1=model.py:Model,v2=talk.py:Model"
    service = start(BOTH_MODEL, files={"talk.py": CHAT_MODEL}, MODELSHIP_ENTRY=entry, MODELSHIP_NAME="both").ready()
    client = client_of(service)
    assert [one.id for one in client.models.list()] == ["both", "both:v1", "both:v2"]
    assert client.models.retrieve("both:v1").id == "both:v1"
    assert service.predict({"number": 1}).json == {"number": 1.0}
    assert client.completions.create(model="both", prompt="a").choices[0].text == "a: []"
    old = client.completions.create(model="both:v1", prompt="a", max_tokens=2)
    assert (old.choices[0].text, old.choices[0].finish_reason, old.model) == ("a 2", "length", "both:v1")
    assert old.usage is None
    assert client.completions.create(model="both:v1", prompt="a").choices[0].text == "a None"
    with pytest.raises(openai.BadRequestError, match="stop"):
        client.completions.create(model="both:v1", prompt="a", stop="x")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="both:v1", messages=[{"role": "user", "content": "hi"}])
    card = service.ask("GET", "/v1/model").json
    assert (card["kind"], card["methods"]) == ("rows", ["complete", "predict"])


def test_keys_and_limits_are_told_as_the_client_knows_them(start: Callable[..., Running]) -> None:
    keys = {"MODELSHIP_API_KEYS": "ci=a-long-enough-key-for-tests", "MODELSHIP_RATE_LIMIT": "2/hour"}
    service = start(CHAT_MODEL, MODELSHIP_NAME="talker", **keys).ready()
    with pytest.raises(openai.AuthenticationError) as raised:
        say(client_of(service, "wrong"), "hi")
    assert (raised.value.code, raised.value.type) == ("invalid_key", "authentication_error")
    client = client_of(service, "a-long-enough-key-for-tests")
    assert say(client, "hi").choices[0].message.content == "hi "
    assert say(client, "hi").choices[0].message.content == "hi "
    with pytest.raises(openai.RateLimitError) as limited:
        say(client, "hi")
    assert limited.value.type == "rate_limit_error"
    assert int(limited.value.response.headers["retry-after"]) > 0


def test_the_document_has_what_the_model_has(chatting: Running, start: Callable[..., Running]) -> None:
    document = chatting.ask("GET", "/openapi.json").json
    assert {"/v1/chat/completions", "/v1/completions", "/v1/models", "/v1/models/{id}"} <= document["paths"].keys()
    assert document["paths"].keys().isdisjoint({"/v1/embeddings", "/v1/predict", "/v1/jobs"})
    schemas = document["components"]["schemas"]
    options = schemas["OpenAIChatCompletionRequest"]["properties"]
    assert {"messages", "max_tokens", "max_completion_tokens", "stop", "tools"} <= options.keys()
    assert options.keys().isdisjoint({"top_p", "response_format", "logprobs"})
    refs = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert refs <= schemas.keys()
    for path in ("/v1/chat/completions", "/v1/completions"):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert chatting.ask("POST", path, json.dumps(content["example"]).encode()).status == 200


def test_the_card_and_the_check_of_a_model_without_predict(chatting: Running) -> None:
    card = chatting.ask("GET", "/v1/model").json
    assert (card["kind"], card["input"], card["inputs"]) == ("chat", {}, [])
    assert card["methods"] == ["chat", "complete", "count_tokens"]
    assert (chatting.ask("POST", "/v1/jobs", b"{}").status, chatting.ask("GET", "/v2/models/talker").status) == (
        404,
        200,
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=8), one, max_size=3),
    max_leaves=8,
)
_message = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system"]) | _json},
    optional={"content": st.lists(st.fixed_dictionaries({"type": st.just("text")}, optional={"text": _json})) | _json},
)
_request = st.fixed_dictionaries(
    {"model": st.just("talker") | _json, "messages": st.lists(_message, max_size=3) | _json},
    optional={name: _json for name in ("max_tokens", "stop", "seed", "stream", "tools", "n", "logprobs", "prompt")},
)


@settings(max_examples=500, deadline=None)
@given(_request, st.sampled_from([b"", b"1e999", b"\xff", b'"\\ud800"']))
def test_whatever_is_sent_is_understood_or_400(asked: dict[str, Any], wrong: bytes) -> None:
    body = json.dumps(asked).encode()
    if wrong:
        body = body.replace(b'"content": ', b'"own": ' + wrong + b', "content": ')
    chat = msgspec.json.Decoder(requests.ChatCompletionRequest)
    try:
        requests.check_support(requests.decode(chat, body), Method())
        assert all(isinstance(one["role"], str) for one in requests.messages_of(body))
    except ApiError as error:
        assert error.status == 400


class Base:
    def load(self, files: Path) -> None: ...


def test_only_what_a_signature_names_is_given() -> None:
    class Model(Base):
        def chat(self, messages: Any, stop: Any, *, top_p: float = 1.0, own: int = 3) -> str:
            return ""

        def complete(self, *prompt: str, **options: Any) -> str:
            return ""

        @staticmethod
        def embed(texts: Any) -> Any: ...

    methods = read_methods(Model)
    given = {"stop": None, "top_p": 0.5, "own": 4, "seed": None, "temperature": 0.0}
    assert methods["chat"].select(given) == {"stop": None, "top_p": 0.5}
    assert methods["complete"].select(given) == {"top_p": 0.5, "temperature": 0.0}
    assert methods["embed"].select({"dimensions": 3}) == {}
    assert read_schema(Model, 8).kind == "chat"


async def _async(self: Any, messages: Any) -> str:
    return ""


@pytest.mark.parametrize(
    ("method", "function", "said"),
    [
        ("chat", lambda self: "", "must take one argument first: (messages: list[dict])"),
        ("chat", lambda self, **options: "", "must take one argument first"),
        ("chat", _async, "must be a plain function, or a generator"),
        (
            "complete",
            lambda self, prompt, style: "",
            "no request has a value for style, so give it a default; it takes",
        ),
        ("embed", lambda self, texts, *, size: [], "for size, so give it a default; it takes dimensions"),
        ("count_tokens", lambda self, text, model: 1, "it takes no options"),
    ],
)
def test_a_signature_that_cannot_be_called_is_refused(method: str, function: Any, said: str) -> None:
    with pytest.raises(SignatureError, match=re.escape(said)) as raised:
        read_schema(type("Model", (Base,), {method: function}), 8)
    assert f"Model.{method}" in str(raised.value) and raised.value.line
