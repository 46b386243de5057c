/**
 * The Dockerfile as a list of steps with titles for people. No `# syntax` line, heredoc or `COPY --link`:
 * it must build offline and on old engines.
 */
export interface DockerfileStep {
  /** What the step does, in the user's words; without one it is not worth a line unless it fails. */
  title?: string;
  /** One instruction, as the engine names it in its progress. */
  instruction: string;
}

export interface DockerfileStage {
  steps: readonly DockerfileStep[];
}

export interface DockerfileInput {
  base: string;
  /** How the project states its dependencies. */
  requirements:
    | { kind: "pip"; file: string; hashed: boolean }
    /** pyproject.toml with uv.lock: exported inside the build by a pinned uv. */
    | { kind: "uv" }
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

export function dockerfileStages(input: DockerfileInput): readonly [DockerfileStage, DockerfileStage] {
  return [{ steps: dependencySteps(input) }, { steps: serviceSteps(input) }];
}

export function renderDockerfile(stages: readonly DockerfileStage[]): string {
  const text = stages.map((stage) => stage.steps.map((step) => step.instruction).join("\n")).join("\n\n");
  return `${text}\n`;
}

/** Installs into a virtualenv; only that virtualenv is copied on, so pip and its cache stay behind. */
function dependencySteps(input: DockerfileInput): DockerfileStep[] {
  const pip = `python3 -m pip --python ${venv}/bin/python install --no-compile`;
  const steps: DockerfileStep[] = [
    { instruction: `FROM ${input.base} AS dependencies` },
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
        `${pip} --require-hashes -r exported.txt`,
        fits(pip),
      ]),
    });
  }
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

function serviceSteps(input: DockerfileInput): DockerfileStep[] {
  const steps: DockerfileStep[] = [
    { instruction: `FROM ${input.base}` },
    ...systemPackageSteps(input),
    { title: "Copy the virtualenv", instruction: `COPY --from=dependencies ${venv} ${venv}` },
  ];
  if (input.keepCaCerts) {
    steps.push({ title: "Add the CA bundle", instruction: "COPY ca/ /opt/modelship/ca/" });
  }
  steps.push(
    { instruction: "COPY service/ /opt/modelship/" },
    { title: "Add the code", instruction: "COPY app/ /app/" },
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
  );
  return steps;
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
