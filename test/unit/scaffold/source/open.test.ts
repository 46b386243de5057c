import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { silent } from "../../../../src/reporter.js";
import { createProject } from "../../../../src/scaffold/create.js";
import { openTemplate } from "../../../../src/scaffold/source/open.js";
import { folderWith } from "../../../setup/folder.js";

const manifest = "title: Mine\ndescription: A template from elsewhere\nnext: [modelship build]\n";
const files = {
  "template.yaml": manifest,
  "modelship.yaml.mustache": "name: {{name}}\n",
  "model.py": "x = 1\n",
  _gitignore: "x\n",
};

/** The temporary folder of a test is its own, so that what is left there is seen. */
let temporary = "";
beforeEach(async () => {
  temporary = await folderWith({});
  const before = process.env.TMPDIR;
  process.env.TMPDIR = temporary;
  onTestFinished(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
});

/** What was fetched and is still there. */
async function fetched(): Promise<string[]> {
  return (await readdir(temporary)).filter((name) => name.startsWith("modelship-template-"));
}

const open = (text: string, cwd = "/", env: NodeJS.ProcessEnv = process.env) =>
  openTemplate(text, { cwd, env });

async function write(text: string, cwd: string): Promise<string[]> {
  const opened = await open(text, cwd);
  const dir = join(await folderWith({}), "project");
  const { template } = opened;
  const settings = {
    name: "digits",
    python: "3.12",
    answers: {},
    dir,
    force: false,
    dryRun: false,
    report: silent,
  };
  await createProject({ template, ...settings });
  await opened.close();
  expect(await fetched()).toEqual([]);
  return (await readdir(dir)).sort();
}

const written = [".gitignore", "model.py", "modelship.yaml"];

/** A repository with one commit of these files. */
async function repositoryWith(
  content: Readonly<Record<string, string>>,
  prepare?: (folder: string) => Promise<void>,
) {
  const folder = await folderWith(content);
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.test", ...args], {
      cwd: folder,
      encoding: "utf8",
    });
  git("init", "-q", "-b", "main");
  await prepare?.(folder);
  git("add", "-A");
  git("commit", "-q", "-m", "x");
  return { git, folder, url: pathToFileURL(folder).href };
}

test("a folder is a template", async () => {
  const cwd = await folderWith(
    Object.fromEntries(Object.entries(files).map(([path, text]) => [`t/${path}`, text])),
  );
  expect(await write("./t", cwd)).toEqual(written);
  const { template, origin, paths } = await open("./t", cwd);
  expect(template).toMatchObject({ name: "./t", title: "Mine", foreign: true });
  expect(origin).toEqual([`folder  ${join(cwd, "t")}`]);
  expect(paths).toEqual(["_gitignore", "model.py", "modelship.yaml.mustache"]);
});

test.each([
  ["is no folder", {}],
  ["has no template.yaml", { "t/model.py": "" }],
  ["holds a file in EJS", { "t/template.yaml": manifest, "t/a.ejs": "<% process.exit(1) %>" }],
  ["a folder of git", { "t/template.yaml": manifest, "t/sub/.GIT/hooks/post-checkout": "#!/bin/sh\n" }],
])("a folder that %s is refused", async (message, content) => {
  await expect(open("./t", await folderWith(content))).rejects.toMatchObject({
    code: "template",
    message: expect.stringContaining(message),
  });
});

test("a link in a template is refused", async () => {
  const cwd = await folderWith({ "t/template.yaml": manifest });
  await symlink("/etc/passwd", join(cwd, "t/passwd"));
  await expect(open("./t", cwd)).rejects.toMatchObject({ why: "It is a link." });
});

test("a commit of a repository is a template, by branch, tag or folder", async () => {
  const { git, url } = await repositoryWith({
    ...files,
    ...Object.fromEntries(Object.entries(files).map(([path, text]) => [`sub/dir/${path}`, text])),
  });
  git("tag", "v1");
  const commit = git("rev-parse", "HEAD").trim();
  expect(await write(`git+${url}#v1:sub/dir`, "/")).toEqual(written);
  expect(await write(`${url}#main:sub/dir`, "/")).toEqual(written);
  const opened = await open(url);
  expect(opened.origin).toEqual([`from    ${url}`, `commit  ${commit}`]);
  await opened.close();
  await expect(open(`${url}#v2`)).rejects.toMatchObject({
    code: "template",
    why: expect.stringContaining("v2"),
  });
  expect(await fetched()).toEqual([]);
});

test("nothing in a repository runs: neither hooks nor filters; links are refused", async () => {
  const { folder, url } = await repositoryWith({ ...files, ".gitattributes": "*.py filter=evil\n" });
  const settings = await folderWith({});
  const proof = join(settings, "proof");
  await writeFile(join(settings, "config"), `[filter "evil"]\n\tsmudge = "touch ${proof}; cat"\n`);
  await mkdir(join(folder, ".git/hooks"), { recursive: true });
  for (const hook of ["post-checkout", "reference-transaction"]) {
    await writeFile(join(folder, ".git/hooks", hook), `#!/bin/sh\ntouch ${proof}\n`);
    await chmod(join(folder, ".git/hooks", hook), 0o755);
  }
  const env = { ...process.env, GIT_CONFIG_GLOBAL: join(settings, "config") };
  await (await open(url, "/", env)).close();
  await expect(stat(proof)).rejects.toMatchObject({ code: "ENOENT" });

  const linked = await repositoryWith(files, (at) => symlink("/etc/passwd", join(at, "passwd")));
  await expect(open(linked.url)).rejects.toMatchObject({ code: "template", why: "It is a link." });
  expect(await fetched()).toEqual([]);
});

/** A registry with one package, as npm asks for it. */
async function registryWith(archive: Buffer, name: string): Promise<string> {
  const server = createServer((request, response) => {
    const { port } = server.address() as AddressInfo;
    if (request.url?.endsWith(".tgz")) return void response.end(archive);
    const version = {
      name,
      version: "1.2.3",
      dist: { tarball: `http://127.0.0.1:${port}/${name}-1.2.3.tgz` },
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ name, "dist-tags": { latest: "1.2.3" }, versions: { "1.2.3": version } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function archiveOf(
  content: Readonly<Record<string, string>>,
  prepare?: (folder: string) => Promise<void>,
) {
  const folder = await folderWith(
    Object.fromEntries(Object.entries(content).map(([path, text]) => [`package/${path}`, text])),
  );
  await prepare?.(join(folder, "package"));
  return execFileSync("tar", ["-czf", "-", "package"], { cwd: folder });
}

const npmEnv = async (registry: string) => ({
  ...process.env,
  npm_config_registry: registry,
  npm_config_cache: await folderWith({}),
  npm_config_fetch_retries: "0",
});

test("a package of a registry is a template, and its scripts are not run", { timeout: 60_000 }, async () => {
  const proof = join(await folderWith({}), "proof");
  const scripts = Object.fromEntries(
    ["prepack", "prepare", "postinstall"].map((name) => [name, `touch ${proof}`]),
  );
  const manifestOfIt = JSON.stringify({ name: "my-template", version: "1.2.3", scripts });
  const archive = await archiveOf({ ...files, "package.json": manifestOfIt });
  const env = await npmEnv(await registryWith(archive, "my-template"));
  const opened = await open("npm:my-template", "/", env);
  expect(opened.template).toMatchObject({ title: "Mine", foreign: true });
  expect(opened.origin?.slice(0, 2)).toEqual(["from    npm, my-template", "version 1.2.3"]);
  expect(opened.origin?.[2]).toMatch(/^digest {2}sha512-/);
  await opened.close();
  await expect(stat(proof)).rejects.toMatchObject({ code: "ENOENT" });
  expect(await fetched()).toEqual([]);
});

test("a package with a link is refused, and so is one that is not there", { timeout: 60_000 }, async () => {
  const archive = await archiveOf(files, (folder) => symlink("/etc/passwd", join(folder, "passwd")));
  const env = await npmEnv(await registryWith(archive, "my-template"));
  await expect(open("npm:my-template", "/", env)).rejects.toMatchObject({ code: "template" });
  await expect(open("npm:my-template@9.9.9", "/", env)).rejects.toMatchObject({
    code: "template",
    message: "npm:my-template@9.9.9 cannot be fetched.",
  });
  expect(await fetched()).toEqual([]);
});
