import type { Project } from "../../project/load.js";
import type { ProjectContent } from "../context.js";
import { serviceSettings } from "../service-settings.js";

/** Settings that the service reads when it starts; each can be overridden with `run --env`. */
export function nodeEnvironment({ config }: Project, content: ProjectContent): Record<string, string> {
  const kept = "/opt/modelship/ca/ca.pem";
  return {
    NODE_ENV: "production",
    HOME: "/tmp",
    ...serviceSettings(config, content.model.containerPath),
    ...(config.image.keep_ca_certs && { NODE_EXTRA_CA_CERTS: kept, SSL_CERT_FILE: kept }),
  };
}
