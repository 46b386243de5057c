/** The use cases as a library: the same that the commands call. Everything throws `UserError` on expected failures. */
export { runService } from "./deploy/run.js";
export type { RunningService, RunOptions } from "./deploy/run-options.js";
export { type DevOptions, type DevService, develop } from "./dev/dev.js";
export { type DoctorOptions, examine } from "./doctor/doctor.js";
export { type ErrorCode, ExitCode, isUserError, UserError } from "./errors.js";
export { type BuildResult, buildImage, planBuild } from "./image/build.js";
export { type Inspection, type InspectOptions, inspectRemote } from "./image/inspect.js";
export type { ImagePlan } from "./image/plan.js";
export type { BuildOptions } from "./image/prepare.js";
export { type PullOptions, type PullResult, pullWeights } from "./image/pull.js";
export { type PushOptions, type PushResult, pushProject } from "./image/push.js";
export { type CreatedKey, type CreateKeyOptions, createKey } from "./keys/create.js";
export type { KeyEntry } from "./keys/document.js";
export { type ListKeysOptions, listKeys } from "./keys/list.js";
export { type RevokeKeyOptions, revokeKey } from "./keys/revoke.js";
export { type LoadOptions, loadProject, type Project } from "./project/load.js";
export { type ProjectConfig, projectJsonSchema } from "./project/schema.js";
export { type Reporter, type ReporterEvent, silent } from "./reporter.js";
