import { chmod, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filesFor } from "../../../src/scaffold/plan.js";
import { findTemplate, listTemplates, readTemplateFiles } from "../../../src/scaffold/template.js";
import { folderWith } from "../../setup/folder.js";

const manifest = "title: One\ndescription: The first.\nnext:\n  - modelship build\n";
const empty = { next: [], serves: [], questions: [], files: [] };

test("templates are the folders with a template.yaml, by name", async () => {
  const root = await folderWith({
    "b/template.yaml": manifest,
    "a/template.yaml": "title: A\ndescription: B\n",
  });
  expect(await listTemplates(root)).toEqual([
    { ...empty, name: "a", title: "A", description: "B", folder: join(root, "a") },
    {
      ...empty,
      name: "b",
      title: "One",
      description: "The first.",
      next: ["modelship build"],
      folder: join(root, "b"),
    },
  ]);
});

test("an unknown template is an error that lists what there is", async () => {
  const root = await folderWith({ "a/template.yaml": manifest, "b/template.yaml": manifest });
  await expect(findTemplate("../a", root)).rejects.toMatchObject({
    code: "template",
    hint: "Choose one of: a, b.",
  });
});

test.each([
  ["a broken template.yaml", "title: [\n"],
  ["is not valid", "title: One\ndescription: x\nnxet: []\n"],
  ["is not valid", "title: One\n"],
])("%s is an error that says so", async (message, content) => {
  const root = await folderWith({ "a/template.yaml": content });
  await expect(listTemplates(root)).rejects.toMatchObject({
    code: "template",
    message: expect.stringContaining(message),
  });
});

test("files are read with their modes; links and what Python leaves behind are not", async () => {
  const root = await folderWith({
    "a/template.yaml": manifest,
    "a/model.py": "x = 1\n",
    "a/run.sh": "#!/bin/sh\n",
    "a/deep/er/file.txt": "y",
    "a/deep/template.yaml": "kept: true\n",
    "a/__pycache__/model.cpython-312.pyc": "z",
    "a/stray.pyc": "z",
    "secret.txt": "outside",
  });
  await chmod(join(root, "a/run.sh"), 0o755);
  await symlink(join(root, "secret.txt"), join(root, "a/link.txt"));
  await symlink(root, join(root, "a/linked-folder"));
  await mkdir(join(root, "a/empty"));
  const files = await readTemplateFiles(await findTemplate("a", root));
  expect(files.map(({ path, executable }) => [path, executable])).toEqual([
    ["deep/er/file.txt", false],
    ["deep/template.yaml", false],
    ["model.py", false],
    ["run.sh", true],
  ]);
});

test("every template in the package can be read, and its next steps are there", async () => {
  const templates = await listTemplates();
  expect(templates.map(({ name }) => name)).toEqual(expect.arrayContaining(["custom", "onnx", "sklearn"]));
  for (const template of templates) {
    expect(template.next.length).toBeGreaterThan(0);
    for (const occasion of ["example", "model"] as const) {
      const files = filesFor(await readTemplateFiles(template), template.files, occasion);
      expect(files.map(({ path }) => path.replace(/\.ejs$/, ""))).toEqual(
        expect.arrayContaining(["modelship.yaml", "README.md", "_gitignore", "_dockerignore"]),
      );
    }
  }
});
