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
