/** What a registry is shown. `identity` is a refresh token (Azure and others); `registry` is a ready bearer token. */
export type Credential =
  | { kind: "basic"; username: string; password: string }
  | { kind: "identity"; token: string }
  | { kind: "registry"; token: string };

/** Looks up the credential of one registry host; `undefined` means: go on without one. */
export type CredentialSource = (registryHost: string) => Promise<Credential | undefined>;
