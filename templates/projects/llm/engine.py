"""What model.py needs of an engine: text to tokens and back, and one token after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# For a model that brings no chat template: each message on lines of its own, then the answer.
#
#     user: Hello
#     assistant:
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
# Such a model does not know where an answer ends: it ends where the next message would begin.
PLAIN_STOP = ["\nuser:", "\nsystem:", "\nassistant:"]


@dataclass(frozen=True)
class Sampling:
    """None: as the model says, or else as the engine has it. A temperature of 0 takes the likeliest token."""

    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None


class Engine(Protocol):
    # Tokens that prompt and answer may have together.
    context: int
    has_template: bool

    def __init__(self, files: Path) -> None: ...

    def chat_prompt(self, messages: list[dict]) -> list[int]: ...

    def encode(self, text: str) -> list[int]: ...

    def decode(self, tokens: list[int]) -> str:
        """A character whose bytes are not all there yet is shown as U+FFFD."""
        ...

    def generate(self, prompt: list[int], sampling: Sampling) -> Iterator[int | None]:
        """Tokens up to the end of the answer, which is none of them. None: at work, and no token yet.

        Several of these go on by turns. Closing one frees what it holds.
        """
        ...
