/** Models of pydantic types alone, for tests of the pages. */

const head = `import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Optional

from pydantic import BaseModel, Field, field_validator

`;
const noLoad = `
    def load(self, files: Path) -> None:
        pass
`;

const pixels = Array.from({ length: 64 }, (_, at) => (at % 9 === 0 ? 16 : 0));

/** The digit is the number of the row with the most ink, the answers shares of it. */
export const digits = {
  "model.py": `${head}
class Input(BaseModel):
    pixels: list[Annotated[float, Field(ge=0, le=16)]] = Field(
        min_length=64, max_length=64, description="8 rows of 8 pixels, from 0 (paper) to 16 (ink)"
    )


class Output(BaseModel):
    digit: int
    probabilities: list[float]


class Model:${noLoad}
    def predict(self, rows: list[Input]) -> list[Output]:
        ink = [[sum(row.pixels[at : at + 8]) for at in range(0, 64, 8)] for row in rows]
        shares = [[one / (sum(row) or 1) for one in row] for row in ink]
        return [Output(digit=row.index(max(row)), probabilities=row) for row in shares]
`,
  "examples/request.json": JSON.stringify({ pixels }),
};

/** Every kind of field that a form has, and an answer that says what came. */
export const fields = {
  "model.py": `${head}
class Address(BaseModel):
    street: str
    number: Optional[int] = None


class Input(BaseModel):
    name: str = Field(min_length=1)
    age: int = Field(ge=0, le=150)
    kind: Literal["cat", "dog"]
    tame: bool
    tags: list[str] = []
    weights: list[float] = Field(default=[], max_length=4)
    address: Address
    former: Optional[Address] = None
    notes: dict[str, int] = {}


class Output(BaseModel):
    seen: Input


class Model:${noLoad}
    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(seen=row) for row in rows]
`,
};

/** Every text that a model can bring into the page tries to run something. */
export const attack = `<img src=x onerror="alert('run')"><script>alert('run')</script>`;
export const hostile = {
  "model.py": `${head}
ATTACK = ${JSON.stringify(attack)}


class Input(BaseModel):
    value: int = Field(alias=ATTACK, title=ATTACK, description=ATTACK)
    choice: Literal[${JSON.stringify(attack)}, "__proto__"] = Field(alias="constructor")

    @field_validator("value")
    @classmethod
    def small(cls, value: int) -> int:
        if value > 9:
            raise ValueError(ATTACK)
        return value


class Output(BaseModel):
    scores: dict[str, float]
    text: str


class Model:${noLoad}
    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(scores={ATTACK: 0.75, "__proto__": 0.25}, text=ATTACK) for _ in rows]
`,
};

/** Writes "one", dots until the project has a file named \`go\`, and "two"; fails at the end if asked to. */
export const story = {
  "model.py": `${head}
class Input(BaseModel):
    fail: bool = False


class Output(BaseModel):
    text: str


class Model:${noLoad}
    def predict(self, row: Input) -> Iterator[Output]:
        yield Output(text="one")
        while not Path("go").exists():
            time.sleep(0.02)
            yield Output(text=".")
        time.sleep(0.02)
        yield Output(text="two")
        if row.fail:
            raise ValueError("secret of the model")
`,
  "examples/request.json": "{}",
};

/** Says how many messages there are, and the last of them. */
export const parrot = {
  "model.py": `${head}
class Model:${noLoad}
    def chat(self, messages: list[dict]) -> Iterator[str]:
        yield f"{len(messages)}: "
        yield messages[-1]["content"]
        yield "!"
`,
};

/** Two versions: the second wants a weight. */
export const versions = {
  "first.py": `${head}
class Input(BaseModel):
    height: float


class Output(BaseModel):
    size: float


class Model:${noLoad}
    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(size=row.height) for row in rows]
`,
  "second.py": `${head}
class Input(BaseModel):
    height: float
    weight: float


class Output(BaseModel):
    size: float


class Model:${noLoad}
    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(size=row.height + row.weight) for row in rows]
`,
};

/** Takes as long as it is asked to; says so when it is left. */
export const slow = {
  "model.py": `${head}
class Input(BaseModel):
    seconds: float


class Output(BaseModel):
    slept: float


class Model:${noLoad}
    def predict(self, rows: list[Input]) -> list[Output]:
        for row in rows:
            time.sleep(row.seconds)
        return [Output(slept=row.seconds) for row in rows]
`,
};

/** Chats, goes on with texts and embeds them. */
export const writer = {
  "model.py": `${head}
class Model:${noLoad}
    def chat(self, messages: list[dict], *, max_tokens: int = 9) -> Iterator[str]:
        yield f"{messages[-1]['content']} "
        if messages[-1]["content"] == "fail":
            raise ValueError("secret of the model")
        yield str(max_tokens)

    def complete(self, prompt: str) -> Iterator[str]:
        yield f"{prompt} and"
        yield " on"

    def embed(self, texts: list[str]) -> list[list[float]]:
        return [[len(text), 0.5] for text in texts]
`,
};

/** Names and texts that are code where they are not escaped, in every place that a schema has. */
export const code = {
  "model.py": `${head}from pydantic import create_model
from typing import Any

NAMES = [
    'x": 1}; import os; os._exit(9); {"y', "'''", '"""', "*/ process.exit(9); /*", "\${process.exit(9)}", "\`",
    "line\\nbreak", "line\\u2028separator", "\\u202eright to left", "\\U0001f600 face", "back\\\\slash", "<!--", "</script>",
    "class", "constructor", "__proto__", "__private", "int", "str", "Json", "None", "", " ", "0", "type: ignore", "#", "@ts-ignore",
]


def trap(name: str) -> Any:
    about = f"{name}\\n# noqa */ \\"\\"\\" {name}"
    return create_model(name or "Empty", __doc__=about, **{
        f"f{at}": (Literal[one, "plain"], Field(alias=one, description=f"{one}\\n{about}", default="plain") if at % 2 else Field(alias=one, description=about))
        for at, one in enumerate(NAMES)
    })


TRAPS = [trap(name) for name in ("Client", "Output", "Input", "list", 'x"); import os', "*/", "Type")]
Input = create_model("Input", **{f"n{at}": (one | None, Field(default=None, alias=NAMES[at])) for at, one in enumerate(TRAPS)})


class Model:${noLoad}
    def predict(self, rows: list[Input]) -> list[Input]:
        return rows
`,
};
