import { basename, relative, resolve } from "node:path";
import { interrupted, UserError } from "../errors.js";
import type { TemplateQuestion } from "../scaffold/manifest.js";
import { isProjectName, nearestProjectName, projectNameRule } from "../scaffold/name.js";
import type { PlannedFile } from "../scaffold/plan.js";
import type { OpenedTemplate } from "../scaffold/source/open.js";
import type { Template } from "../scaffold/template.js";
import { askConfirm, askSelect, askText } from "../ui/prompts.js";
import type { CommandContext, CommandResult, Define } from "./command.js";
import { checkServes, detectedJson, type GivenModel, givenModel, templateForModel } from "./given-model.js";

interface InitOptions {
  from?: string;
  template?: string;
  set?: string[];
  dir?: string;
  python?: string;
  yes?: boolean;
  force?: boolean;
  dryRun?: boolean;
}

const defaultTemplate = "sklearn";
const defaultPython = "3.12";

const collect = (value: string, all: string[] = []) => [...all, value];

const define: Define = (command, run) => {
  command
    .argument("[name]", "the project's name, and its folder unless --dir says otherwise (`.`: this folder)")
    .option("--from <path>", "the model to serve: a file, or a folder that is or holds one")
    .option("-t, --template <name>", "what to start from: one of `modelship templates`")
    .option("--set <name=value>", "answer a question of the template (repeatable)", collect)
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
  const model = options.from === undefined ? undefined : await givenModel(context, options.from, options);
  const { name, dir } = await place(context, given, options, model?.name);
  const opened = await chooseTemplate(context, options, model);
  const { template } = opened;
  const dryRun = options.dryRun === true;
  let planned: readonly PlannedFile[];
  let python: string;
  try {
    if (opened.origin) await approve(context, options, opened);
    python = await choosePython(context, options);
    const answers = await answerTemplate(context, options, template, model);
    const { createProject } = await import("../scaffold/create.js");
    planned = await createProject({
      template,
      name,
      python,
      answers,
      model: model?.source,
      dir,
      dryRun,
      force: options.force === true,
      report: context.report,
      signal: context.signal,
    });
  } finally {
    await opened.close();
  }
  const files = planned.map((file) => file.path);
  if (!dryRun) sayWhatIsNext(context, { name, dir, template, files });
  return {
    json: {
      dir,
      name,
      template: template.name,
      python,
      files,
      dryRun,
      ...(model && { detected: detectedJson(model.detected) }),
    },
    ...(dryRun ? { text: files.join("\n") } : { scriptText: dir }),
  };
}

/** The project's name and folder: each can follow from the other. */
async function place(
  context: CommandContext,
  given: string | undefined,
  options: InitOptions,
  suggested: string | undefined,
): Promise<{ name: string; dir: string }> {
  const here = given === ".";
  const unnamed = given === undefined && (options.dir !== undefined || options.yes === true);
  if (here || (unnamed && (suggested === undefined || options.dir !== undefined))) {
    const dir = resolve(context.cwd, options.dir ?? ".");
    return { name: nameOfFolder(context, dir), dir };
  }
  const name = given ?? (await askName(context, suggested, options));
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

async function askName(
  context: CommandContext,
  suggested: string | undefined,
  options: InitOptions,
): Promise<string> {
  if (suggested !== undefined && (!context.interactive || options.yes)) return suggested;
  if (!context.interactive) {
    throw new UserError("usage", "The project has no name yet, and there is no terminal to ask on.", {
      hint: "Name it: modelship init NAME (or `modelship init .` for this folder, or --yes for defaults).",
    });
  }
  return askText({
    message: "Name of the project",
    default: suggested ?? "my-model",
    signal: context.signal,
    validate: (answer) => {
      if (isProjectName(answer)) return undefined;
      const nearest = nearestProjectName(answer);
      return nearest ? `${projectNameRule} For example: ${nearest}` : projectNameRule;
    },
  });
}

async function chooseTemplate(
  context: CommandContext,
  options: InitOptions,
  model: GivenModel | undefined,
): Promise<OpenedTemplate> {
  const { openTemplate } = await import("../scaffold/source/open.js");
  const open = (name: string) => openTemplate(name, context);
  if (options.template !== undefined) {
    const opened = await open(options.template);
    try {
      if (model) await checkServes(opened.template, model);
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }
  if (model) return open((await templateForModel(context, model)).name);
  if (options.yes) {
    context.report({
      type: "note",
      message: `Taking the template ${defaultTemplate} (--template chooses another).`,
    });
    return open(defaultTemplate);
  }
  const { listTemplates } = await import("../scaffold/template.js");
  const templates = await listTemplates();
  if (!context.interactive) {
    throw new UserError("usage", "No template was chosen, and there is no terminal to ask on.", {
      hint: `Add --template (${templates.map((template) => template.name).join(", ")}), or --yes for ${defaultTemplate}.`,
    });
  }
  const width = Math.max(...templates.map(({ name }) => name.length)) + 2;
  return open(
    await askSelect<string>({
      message: "Start from",
      signal: context.signal,
      choices: templates.map((template) => ({
        value: template.name,
        name: `${template.name.padEnd(width)} ${template.title}`,
        description: template.description,
      })),
      default: defaultTemplate,
    }),
  );
}

/** A template from elsewhere is shown before it is used. */
async function approve(
  context: CommandContext,
  options: InitOptions,
  { template, origin, paths }: OpenedTemplate,
): Promise<void> {
  const say = (message: string) => context.report({ type: "note", message });
  say(`The template ${options.template}: ${template.title}. ${template.description}`);
  for (const line of origin ?? []) say(`  ${line}`);
  say(`  files   ${paths.map((path) => JSON.stringify(path).slice(1, -1)).join(", ")}`);
  if (options.dryRun || options.yes) return;
  if (!context.interactive) {
    throw new UserError(
      "usage",
      "A template from elsewhere has to be agreed to, and there is no terminal to ask on.",
      {
        hint: "Look at what it writes with --dry-run, and use it with --yes.",
      },
    );
  }
  const agreed = await askConfirm({ message: "Use this template?", default: false, signal: context.signal });
  if (!agreed) throw interrupted();
}

async function answerTemplate(
  context: CommandContext,
  options: InitOptions,
  template: Template,
  model: GivenModel | undefined,
): Promise<Record<string, string>> {
  const { answerQuestions, wrongAnswer } = await import("../scaffold/questions.js");
  const { signal } = context;
  const ask = (question: TemplateQuestion) => {
    const { message, choices, default: preset } = question;
    return choices
      ? askSelect({
          message,
          signal,
          choices: choices.map((choice) => ({ value: choice, name: choice })),
          default: preset,
        })
      : askText({ message, signal, default: preset, validate: (answer) => wrongAnswer(question, answer) });
  };
  return answerQuestions({
    questions: template.questions,
    occasion: model ? "model" : "example",
    settings: options.set ?? [],
    ask: context.interactive && !options.yes ? ask : undefined,
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
  project: { name: string; dir: string; template: Template; files: readonly string[] },
): void {
  const say = (message: string) => context.report({ type: "note", message });
  const folder = relative(context.cwd, project.dir) || ".";
  const place = folder === project.name ? "" : ` in ${folder}`;
  say(
    `Created ${project.name}${place} from the template ${project.template.name}: ${project.files.length} files.`,
  );
  const steps = folder === "." ? [] : [`cd ${shellWord(folder)}`];
  // A project whose schema is not known has no example yet.
  const hasExample = project.files.includes("examples/request.json");
  const next = project.template.next.filter((line) => hasExample || !line.includes("examples/request.json"));
  steps.push(...next.filter((line) => !line.startsWith("cd ")));
  say("Next:");
  for (const step of steps) say(`  ${step}`);
}

/** As a POSIX shell reads it back. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
