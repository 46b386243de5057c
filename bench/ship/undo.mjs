// What has to be taken back, whatever happens: at the end, after an error, on Ctrl-C.
export class Undo {
  #steps = [];
  #running;
  #ending = false;

  constructor() {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ])
      process.on(signal, () => {
        console.error(`\n${signal}: taking back what was made`);
        this.#ending = true;
        this.all().finally(() => process.exit(code));
      });
  }

  /** Returns what does the step now, once, and takes it from the list. */
  add(step) {
    let done;
    const once = () => {
      this.#steps = this.#steps.filter((other) => other !== once);
      done ??= Promise.resolve(step());
      return done;
    };
    this.#steps.push(once);
    // Whoever starts something while all is being taken back has not heard of it yet.
    if (this.#ending) {
      once().catch(() => {});
      throw new Error("interrupted");
    }
    return once;
  }

  /** The latest first. A step that fails is told and keeps no other one back. */
  all() {
    this.#running ??= this.#everything();
    return this.#running;
  }

  async #everything() {
    while (this.#steps.length > 0) {
      try {
        await this.#steps[this.#steps.length - 1]();
      } catch (error) {
        console.error(`Not taken back: ${error.message}`);
        process.exitCode = 1;
      }
    }
  }
}
