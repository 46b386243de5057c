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
