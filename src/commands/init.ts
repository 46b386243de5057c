import { basename, relative, resolve } from "node:path";
import { UserError } from "../errors.js";
import { isProjectName, nearestProjectName, projectNameRule } from "../scaffold/name.js";
import { askSelect, askText } from "../ui/prompts.js";
import type { CommandContext, CommandResult, Define } from "./command.js";

interface InitOptions {
  template?: string;
  dir?: string;
  python?: string;
  yes?: boolean;
  force?: boolean;
  dryRun?: boolean;
}

const defaultTemplate = "sklearn";
const defaultPython = "3.12";

const define: Define = (command, run) => {
  command
    .argument("[name]", "the project's name, and its folder unless --dir says otherwise (`.`: this folder)")
    .option("-t, --template <name>", "what to start from: sklearn, onnx")
    .option("-d, --dir <dir>", "the folder to write (default: ./<name>)")
    .option("--python <version>", `the Python of the image, such as ${defaultPython} (MODELSHIP_PYTHON)`)
    .option("-y, --yes", "take defaults instead of asking")
    .option("-f, --force", "replace files that are there already")
    .option("--dry-run", "list the files and write nothing")
    .action(run(init));
};
export default define;

async function init(
  context: CommandContext,
  given: string | undefined,
  options: InitOptions,
): Promise<CommandResult> {
  const { name, dir } = await place(context, given, options);
  const template = await chooseTemplate(context, options);
  const python = await choosePython(context, options);
  const dryRun = options.dryRun === true;
  const { createProject } = await import("../scaffold/create.js");
  const created = await createProject({
    template,
    name,
    python,
    dir,
    dryRun,
    force: options.force === true,
    signal: context.signal,
  });
  const files = created.files.map((file) => file.path);
  if (!dryRun)
    sayWhatIsNext(context, { name, dir, template, count: files.length, next: created.template.next });
  return {
    json: { dir, name, template, python, files, dryRun },
    ...(dryRun ? { text: files.join("\n") } : { scriptText: dir }),
  };
}

/** The project's name and folder: each can follow from the other. */
async function place(
  context: CommandContext,
  given: string | undefined,
  options: InitOptions,
): Promise<{ name: string; dir: string }> {
  const here = given === ".";
  if (here || (given === undefined && (options.dir !== undefined || options.yes === true))) {
    const dir = resolve(context.cwd, options.dir ?? ".");
    return { name: nameOfFolder(context, dir), dir };
  }
  const name = given ?? (await askName(context));
  checkName(name);
  return { name, dir: resolve(context.cwd, options.dir ?? name) };
}

function nameOfFolder(context: CommandContext, dir: string): string {
  const folder = basename(dir);
  if (isProjectName(folder)) return folder;
  const name = nearestProjectName(folder);
  if (name === undefined) {
    throw new UserError("usage", `The folder "${folder}" does not give the project a name.`, {
      hint: "Name it: modelship init NAME --dir .",
    });
  }
  context.report({ type: "note", message: `The project's name is "${name}", after its folder.` });
  return name;
}

function checkName(name: string): void {
  if (isProjectName(name)) return;
  const nearest = nearestProjectName(name.split(/[\\/]/).at(-1) ?? name);
  throw new UserError("usage", `"${name}" cannot be a project's name.`, {
    why: projectNameRule,
    hint: nearest
      ? `Try: modelship init ${nearest}${/[\\/]/.test(name) ? ` --dir ${name}` : ""}`
      : "Try: modelship init my-model",
  });
}

async function askName(context: CommandContext): Promise<string> {
  if (!context.interactive) {
    throw new UserError("usage", "The project has no name yet, and there is no terminal to ask on.", {
      hint: "Name it: modelship init NAME (or `modelship init .` for this folder, or --yes for defaults).",
    });
  }
  return askText({
    message: "Name of the project",
    default: "my-model",
    signal: context.signal,
    validate: (answer) => {
      if (isProjectName(answer)) return undefined;
      const nearest = nearestProjectName(answer);
      return nearest ? `${projectNameRule} For example: ${nearest}` : projectNameRule;
    },
  });
}

async function chooseTemplate(context: CommandContext, options: InitOptions): Promise<string> {
  if (options.template !== undefined) return options.template;
  if (options.yes) {
    context.report({
      type: "note",
      message: `Taking the template ${defaultTemplate} (--template chooses another).`,
    });
    return defaultTemplate;
  }
  const { listTemplates } = await import("../scaffold/template.js");
  const templates = await listTemplates();
  if (!context.interactive) {
    throw new UserError("usage", "No template was chosen, and there is no terminal to ask on.", {
      hint: `Add --template (${templates.map((template) => template.name).join(", ")}), or --yes for ${defaultTemplate}.`,
    });
  }
  return askSelect({
    message: "Start from",
    signal: context.signal,
    choices: templates.map((template) => ({
      value: template.name,
      name: `${template.name.padEnd(10)} ${template.title}`,
      description: template.description,
    })),
    ...(templates.some((template) => template.name === defaultTemplate) && { default: defaultTemplate }),
  });
}

async function choosePython(context: CommandContext, options: InitOptions): Promise<string> {
  const given = options.python ?? context.env.MODELSHIP_PYTHON;
  if (given !== undefined && given !== "") {
    const wrong = wrongPython(given);
    if (wrong === undefined) return given;
    const source = options.python === undefined ? "MODELSHIP_PYTHON" : "--python";
    throw new UserError("usage", `"${given}" in ${source} is no Python version.`, { hint: wrong });
  }
  if (!context.interactive) return defaultPython;
  return askText({
    message: "Python version of the image",
    default: defaultPython,
    signal: context.signal,
    validate: wrongPython,
  });
}

function wrongPython(version: string): string | undefined {
  return /^3\.\d{1,2}$/.test(version) ? undefined : `Write it like ${defaultPython}.`;
}

function sayWhatIsNext(
  context: CommandContext,
  project: { name: string; dir: string; template: string; count: number; next: readonly string[] },
): void {
  const say = (message: string) => context.report({ type: "note", message });
  const folder = relative(context.cwd, project.dir) || ".";
  const place = folder === project.name ? "" : ` in ${folder}`;
  say(`Created ${project.name}${place} from the template ${project.template}: ${project.count} files.`);
  const steps = folder === "." ? [] : [`cd ${shellWord(folder)}`];
  steps.push(...project.next.filter((line) => !line.startsWith("cd ")));
  say("Next:");
  for (const step of steps) say(`  ${step}`);
}

/** As a POSIX shell reads it back. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
