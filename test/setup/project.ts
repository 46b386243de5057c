import { randomBytes } from "node:crypto";
import { folderWith } from "./folder.js";

export interface TestProject {
  name: string;
  root: string;
}

/** A small real project whose only requirements are the service's own, so that it builds in seconds. */
export async function smallProject(
  more: Readonly<Record<string, string | Buffer>> = {},
  makeFolder = folderWith,
): Promise<TestProject> {
  const name = `test-${randomBytes(4).toString("hex")}`;
  const root = await makeFolder({
    "modelship.yaml": `name: ${name}\nversion: 1.0.0\n`,
    "model.py": doublingModel,
    "model/factor.txt": "2\n",
    "examples/request.json": '{"value": 21}\n',
    ...more,
  });
  return { name, root };
}

const doublingModel = `from pathlib import Path

from pydantic import BaseModel


class Input(BaseModel):
    value: float


class Output(BaseModel):
    value: float


class Model:
    def load(self, files: Path) -> None:
        self.factor = float((files / "factor.txt").read_text())

    def predict(self, rows: list[Input]) -> list[Output]:
        return [Output(value=self.factor * row.value) for row in rows]
`;
