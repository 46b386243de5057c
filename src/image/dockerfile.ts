import type { TorchInstall } from "./accelerator/torch.js";
import { edgeStages, trimPackages } from "./dockerfile-edge.js";
import { pythonFrom, pythonStage } from "./dockerfile-python.js";
import type { DockerfileStage, DockerfileStep } from "./dockerfile-step.js";

export interface DockerfileInput {
  base: string;
  /** The image that dependencies are installed in, where it is another one. */
  builder?: string | undefined;
  /** The image that Python comes from, where base and builder have none. */
  python?: string | undefined;
  /** PyTorch from an index of its own. */
  torch?: TorchInstall | undefined;
  profile: "default" | "edge";
  /** How the project states its dependencies. */
  requirements:
    | { kind: "pip"; file: string; hashed: boolean }
    /** pyproject.toml with uv.lock: exported inside the build by a pinned uv. */
    | { kind: "uv" /** Besides the public one. */; indexes: readonly string[] }
    /** package.json with package-lock.json: a project of the Node runtime. */
    | { kind: "npm" }
    | { kind: "none" };
  systemPackages: readonly string[];
  /** Names only; their values travel as build arguments. */
  buildArgs: readonly string[];
  /** Ids of the user's secrets, mounted while dependencies install. */
  secrets: readonly string[];
  keepCaCerts: boolean;
  environment: Readonly<Record<string, string>>;
  port: number;
}

/** Ids of the secrets that modelship itself adds to the dependency steps. */
export const installSecret = { settings: "modelship_install", ca: "modelship_ca" } as const;

/** Where a user's secret is mounted when a tool expects it at a known place; elsewhere /run/secrets/<id>. */
export const secretTargets: Readonly<Record<string, string>> = {
  netrc: "/root/.netrc",
  "pip.conf": "/etc/pip.conf",
  npmrc: "/root/.npmrc",
};

const venv = "/opt/venv";
/** 1980-01-01: the earliest time that zip files, and so wheels, can hold. */
export const fixedTime = 315532800;
/** Any number that no base image gives to a person; numeric, so that Kubernetes can check runAsNonRoot. */
export const serviceUser = "10001:10001";

export function dockerfileStages(input: DockerfileInput): readonly DockerfileStage[] {
  const first = input.python === undefined ? [] : [pythonStage(input.python)];
  const stages = [...first, { steps: dependencySteps(input) }];
  const content = contentSteps(input);
  const settings = settingSteps(input);
  if (input.profile === "edge")
    return [...stages, ...edgeStages(input.base, content, settings, input.systemPackages.length > 0)];
  return [...stages, { steps: [{ instruction: `FROM ${input.base}` }, ...content, ...settings] }];
}

export function renderDockerfile(stages: readonly DockerfileStage[]): string {
  const text = stages.map((stage) => stage.steps.map((step) => step.instruction).join("\n")).join("\n\n");
  return `${text}\n`;
}

/** Installs into a virtualenv; only that virtualenv is copied on, so pip and its cache stay behind. */
function dependencySteps(input: DockerfileInput): DockerfileStep[] {
  const pip = `python3 -m pip --python ${venv}/bin/python install --no-compile`;
  const steps: DockerfileStep[] = [
    { instruction: `FROM ${builderOf(input)} AS dependencies` },
    ...(input.builder !== undefined && input.python !== undefined ? pythonFrom(["/usr/local"]) : []),
    { instruction: "WORKDIR /build" },
    {
      instruction:
        "ENV PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off",
    },
    ...systemPackageSteps(input),
    { instruction: `RUN python3 -m venv --without-pip ${venv}` },
    {
      instruction: "COPY runtime/ /build/runtime/",
    },
    {
      title: "Install the service's requirements",
      instruction: installing(input, [`${pip} --require-hashes -r runtime/requirements.txt`]),
    },
  ];
  const { requirements } = input;
  if (requirements.kind !== "none") {
    steps.push({ instruction: "COPY requirements/ /build/requirements/" });
    for (const name of input.buildArgs) steps.push({ instruction: `ARG ${name}` });
  }
  if (input.torch && requirements.kind === "pip") steps.push(torchStep(input, input.torch, pip));
  if (requirements.kind === "pip") {
    const file = shellWord(requirements.file);
    steps.push({
      title: `Install ${requirements.file}`,
      instruction: installing(
        input,
        requirements.hashed
          ? ["cd requirements", `${pip} --require-hashes -r ${file}`, "cd ..", fits(pip)]
          : ["cd requirements", `${pip} -c ../runtime/constraints.txt -r ${file}`],
      ),
    });
  } else if (requirements.kind === "uv") {
    steps.push({
      title: "Install uv.lock",
      instruction: installing(input, [
        "python3 -m venv --without-pip /opt/uv",
        "python3 -m pip --python /opt/uv/bin/python install --require-hashes -r runtime/uv.txt",
        "/opt/uv/bin/uv export --project requirements --frozen --no-dev --no-emit-project --quiet -o exported.txt",
        // With hashes, a package of the same name in another index cannot take its place.
        `${pip} --require-hashes${requirements.indexes.map((url) => ` --extra-index-url ${shellWord(url)}`).join("")} -r exported.txt`,
        fits(pip),
      ]),
    });
  }
  if (input.profile === "edge") return [...steps, trimPackages(venv)];
  steps.push({
    title: "Compile the packages",
    // unchecked-hash: no time stamps in the bytecode, and none is looked at when a service starts.
    instruction:
      `RUN python3 -m compileall -q -j 0 -x '/tests?/' --invalidation-mode unchecked-hash ${venv}/lib || true; ` +
      `find ${venv} -depth -exec touch -h -d @${fixedTime} {} +`,
  });
  return steps;
}

/** pip takes no constraints beside hashes, so whether a lock is within them is asked afterwards, without an index. */
function fits(pip: string): string {
  return `${pip} --no-index --no-deps --quiet -r runtime/constraints.txt`;
}

/** Python's own image where the base has no Python: what is installed there runs in the base all the same. */
function builderOf({ base, builder, python }: DockerfileInput): string {
  return builder ?? (python === undefined ? base : "python");
}

/**
 * One index at a time: with two, whoever has the higher version of a name would win, whoever that is. So what the
 * user's settings say of indexes does not hold here.
 */
function torchStep(
  input: DockerfileInput,
  { index, packages, made, optional }: TorchInstall,
  pip: string,
): DockerfileStep {
  const command = [
    `env -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL ${pip} --retries 2 --timeout 30 -c runtime/constraints.txt`,
    `--index-url ${shellWord(index)}`,
    ...packages.map(shellWord),
  ].join(" ");
  const host = new URL(index).host;
  const otherwise = `modelship: warning: PyTorch for ${made} could not be had from ${host}: what the usual index has brings CUDA along, which is gigabytes.`;
  return {
    title: `Install PyTorch for ${made}`,
    instruction: installing(input, [optional ? `${command} || echo ${shellWord(otherwise)}` : command]),
  };
}

/** What the image holds. */
function contentSteps(input: DockerfileInput): DockerfileStep[] {
  const steps: DockerfileStep[] = [
    ...(input.python === undefined || input.python === input.base
      ? []
      : pythonFrom(["/usr/local/bin", "/usr/local/lib"])),
    ...systemPackageSteps(input),
    { title: "Copy the virtualenv", instruction: `COPY --from=dependencies ${venv} ${venv}` },
  ];
  if (input.keepCaCerts) {
    steps.push({ title: "Add the CA bundle", instruction: "COPY ca/ /opt/modelship/ca/" });
  }
  steps.push(
    { instruction: "COPY service/ /opt/modelship/" },
    { title: "Add the code", instruction: "COPY app/ /app/" },
  );
  return steps;
}

/** How the image runs. */
function settingSteps(input: DockerfileInput): DockerfileStep[] {
  return [
    { instruction: "WORKDIR /app" },
    {
      instruction: `ENV ${Object.entries(input.environment)
        .map(([key, value]) => `${key}=${dockerfileValue(value)}`)
        .join(" \\\n    ")}`,
    },
    { instruction: `USER ${serviceUser}` },
    { instruction: `EXPOSE ${input.port}` },
    {
      instruction: `HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["${venv}/bin/python", "-m", "modelship_service.health"]`,
    },
    {
      instruction: `ENTRYPOINT ["${venv}/bin/python", "-m", "modelship_service"]`,
    },
  ];
}

export function systemPackageSteps(input: DockerfileInput): DockerfileStep[] {
  if (input.systemPackages.length === 0) return [];
  const packages = [...input.systemPackages].sort().join(" ");
  return [
    {
      title: "Install system packages",
      instruction: withMounts(
        [secretMount(installSecret.settings), secretMount(installSecret.ca)],
        [
          `${readSettings} apt-get update`,
          `apt-get install -y --no-install-recommends ${packages}`,
          "rm -rf /var/lib/apt/lists/* /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log",
        ],
      ),
    },
  ];
}

/** Indexes, proxies and CA bundles come from a secret file of shell exports: they leave no trace in the image. */
export const readSettings = `if [ -f /run/secrets/${installSecret.settings} ]; then . /run/secrets/${installSecret.settings}; fi;`;

function installing(input: DockerfileInput, commands: readonly string[]): string {
  const mounts = [
    // Shared, as pip allows: a lock can stay with a build that was interrupted, and the next one would wait for ever.
    "--mount=type=cache,id=modelship-pip,target=/root/.cache/pip",
    secretMount(installSecret.settings),
    secretMount(installSecret.ca),
    ...input.secrets.map((id) => secretMount(id, secretTargets[id])),
  ];
  return withMounts(mounts, [`${readSettings} ${commands[0]}`, ...commands.slice(1)]);
}

export function withMounts(mounts: readonly string[], commands: readonly string[]): string {
  return `RUN ${[...mounts, commands.join(" && \\\n    ")].join(" \\\n    ")}`;
}

export function secretMount(id: string, target?: string): string {
  return `--mount=type=secret,id=${id}${target ? `,target=${target}` : ""}`;
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A double-quoted ENV value; `$` would be expanded by the builder. */
export function dockerfileValue(text: string): string {
  return /^[\w./:,-]+$/.test(text) ? text : `"${text.replace(/[\\"$]/g, "\\$&")}"`;
}
