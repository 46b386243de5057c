import {
  type DockerfileInput,
  dockerfileValue,
  fixedTime,
  installSecret,
  readSettings,
  secretMount,
  secretTargets,
  serviceUser,
  systemPackageSteps,
  withMounts,
} from "../dockerfile.js";
import type { DockerfileStage, DockerfileStep } from "../dockerfile-step.js";

const service = "/opt/modelship";
/** Node 22 still warns that it runs TypeScript. */
const node = ["node", "--disable-warning=ExperimentalWarning"];

/** The Dockerfile of a project that Node serves: packages in a stage of their own, then the service and the code. */
export function nodeStages(input: DockerfileInput): readonly [DockerfileStage, DockerfileStage] {
  return [{ steps: dependencySteps(input) }, { steps: serviceSteps(input) }];
}

function dependencySteps(input: DockerfileInput): DockerfileStep[] {
  return [
    { instruction: `FROM ${input.base} AS dependencies` },
    { instruction: "WORKDIR /build" },
    {
      // onnxruntime-node would fetch libraries for CUDA from another place than the registry.
      instruction:
        "ENV NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_FUND=false NPM_CONFIG_AUDIT=false NPM_CONFIG_LOGS_MAX=0 ONNXRUNTIME_NODE_INSTALL=skip",
    },
    ...systemPackageSteps(input),
    { instruction: "COPY runtime/ /build/service/" },
    { title: "Install the service's packages", instruction: installing(input, "service") },
    { instruction: "COPY requirements/ /build/project/" },
    ...input.buildArgs.map((name) => ({ instruction: `ARG ${name}` })),
    { title: "Install package-lock.json", instruction: installing(input, "project") },
    { title: "Trim the packages", instruction: `RUN ${trim.join(" && \\\n    ")}` },
  ];
}

function installing(input: DockerfileInput, folder: string): string {
  const mounts = [
    "--mount=type=cache,id=modelship-npm,target=/root/.npm",
    secretMount(installSecret.settings),
    secretMount(installSecret.ca),
    ...input.secrets.map((id) => secretMount(id, secretTargets[id])),
  ];
  return withMounts(mounts, [`${readSettings} cd ${folder}`, "npm ci --omit=dev", "mkdir -p node_modules"]);
}

const trim = [
  // npm's own record says where packages came from, which is nobody's business but the builder's.
  "rm -f */node_modules/.package-lock.json",
  // onnxruntime-node brings the libraries of all platforms: 240 MB, of which one machine uses 45.
  `for lib in project/node_modules/onnxruntime-node/bin/napi-v*/*/*; do case "$lib" in */linux/$(node -p process.arch)) ;; *) rm -rf "$lib" ;; esac; done`,
  `find */node_modules -depth -exec touch -h -d @${fixedTime} {} +`,
];

function serviceSteps(input: DockerfileInput): DockerfileStep[] {
  const environment = Object.entries(input.environment).map(
    ([key, value]) => `${key}=${dockerfileValue(value)}`,
  );
  return [
    { instruction: `FROM ${input.base}` },
    ...systemPackageSteps(input),
    {
      title: "Copy the packages",
      instruction: `COPY --from=dependencies /build/service/node_modules ${service}/node_modules`,
    },
    { instruction: "COPY --from=dependencies /build/project/node_modules /app/node_modules" },
    ...(input.keepCaCerts ? [{ title: "Add the CA bundle", instruction: `COPY ca/ ${service}/ca/` }] : []),
    { instruction: `COPY service/ ${service}/` },
    { title: "Add the code", instruction: "COPY app/ /app/" },
    { instruction: "WORKDIR /app" },
    { instruction: `ENV ${environment.join(" \\\n    ")}` },
    { instruction: `USER ${serviceUser}` },
    { instruction: `EXPOSE ${input.port}` },
    {
      instruction: `HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["node", "${service}/health.js"]`,
    },
    { instruction: `ENTRYPOINT ${JSON.stringify([...node, `${service}/main.js`])}` },
  ];
}
