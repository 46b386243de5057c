import { UserError } from "../../errors.js";
import type { Blob } from "../blob.js";
import type { Answer, Body } from "../transport.js";
import type { BlobReader } from "./blob-reader.js";
import { type BlobEndpoint, isTaken, type MakeBody, type Session } from "./endpoint.js";
import type { Habit, Habits } from "./habits.js";
import { bytesTaken, nextLocation } from "./location.js";
import { firstPiece, Pace } from "./pace.js";
import { codesOf, refusal, Setback } from "./setback.js";

const megabyte = 1024 * 1024;
const smallestPiece = megabyte;
const defaultTimeout = 30_000;

/** Sends the bytes of a blob the way that its registry wants them. */
export class Sender {
  /** On the wire, with what was sent twice. */
  bytesSent = 0;
  /** Up to where bytes were sent since the last piece that arrived. */
  reached = 0;
  private readonly blob: Blob;
  private readonly reader: BlobReader;
  private readonly endpoint: BlobEndpoint;
  private readonly habits: Habits;
  private readonly onProgress: (position: number) => void;
  private readonly pace = new Pace();
  private habit: Habit | undefined;
  private learned = false;

  constructor(
    blob: Blob,
    reader: BlobReader,
    endpoint: BlobEndpoint,
    habits: Habits,
    onProgress: (position: number) => void,
  ) {
    this.blob = blob;
    this.reader = reader;
    this.endpoint = endpoint;
    this.habits = habits;
    this.onProgress = onProgress;
  }

  /** Sends what the registry does not have yet; `arrived` after each piece. */
  async send(session: Session, arrived: () => Promise<void>): Promise<void> {
    const { size } = this.blob;
    while (session.offset < size) {
      const from = session.offset;
      const to = await this.pieceEnd(session);
      const whole = from === 0 && to === size;
      const range = whole ? undefined : `${from}-${to - 1}`;
      const began = performance.now();
      const answer = await this.patch(session, { from, to, range });
      if (!isTaken(answer)) throw await this.refused(answer, from, to);
      // One that stores the bytes and counts them wrongly cannot be gone on with after a break.
      if (!whole && (bytesTaken(answer) ?? to) !== to) throw this.noPieces(answer);
      session.location = nextLocation(answer, session.location);
      session.offset = to;
      this.pace.arrived(to - from, performance.now() - began);
      await arrived();
    }
  }

  /** The bytes from one offset to another, as often as they are wanted. */
  bodyOf(from: number, to: number, patience = this.patience(to - from)): MakeBody {
    return async () => {
      this.reached = from;
      const body: Body = {
        size: to - from,
        chunks: this.counted(from, await this.reader.piece(from, to)),
        patience,
      };
      return body;
    };
  }

  /** Whether an upload can go on in the middle. */
  async goesOnFrom(offset: number): Promise<boolean> {
    return offset === 0 || offset === this.blob.size || (await this.knownHabit()).whole !== true;
  }

  /** All went well: what was found out by trying is true. */
  async remember(): Promise<void> {
    if (this.learned && this.habit) await this.habits.learn(this.host, this.habit);
  }

  private async pieceEnd({ location, offset, least = 0, largest = Infinity }: Session): Promise<number> {
    const habit = await this.knownHabit();
    if (habit.whole) {
      if (offset > 0) throw new Setback("it takes a blob in one piece only", { goOn: "anew" });
      return this.blob.size;
    }
    const piece = Math.max(least, Math.min(this.pace.piece(location), largest, habit.largest ?? Infinity));
    return Math.min(this.blob.size, offset + piece);
  }

  private async patch(
    session: Session,
    { from, to, range }: { from: number; to: number; range: string | undefined },
  ): Promise<Answer> {
    let taken = false;
    try {
      const answer = await this.endpoint.patch(session, this.bodyOf(from, to), range);
      taken = isTaken(answer);
      return answer;
    } finally {
      if (!taken) this.pace.broke(to - from);
    }
  }

  private async refused(answer: Answer, from: number, to: number): Promise<Error> {
    const { connection, name } = this.endpoint;
    if (answer.status === 413) return this.tooLarge(answer, to - from);
    const inPieces = to - from < this.blob.size;
    const unfit =
      [400, 404, 405, 416, 501].includes(answer.status) && !codesOf(answer).includes("NAME_INVALID");
    if (inPieces && unfit && (from === 0 || answer.status === 405)) return this.noPieces(answer);
    return refusal(connection, answer, name);
  }

  private noPieces(answer: Answer): Error {
    this.habit = { ...this.habit, whole: true };
    this.learned = true;
    return new Setback("it takes a blob in one piece only", { answer, goOn: "anew" });
  }

  private async tooLarge(answer: Answer, size: number): Promise<Error> {
    const largest = Math.floor(size / 2);
    if (this.habit?.whole || largest < smallestPiece) {
      return new UserError(
        "registry_failed",
        `${this.blob.title} is too large for ${this.endpoint.connection.registry}.`,
        {
          why: `It says HTTP 413 to ${Math.ceil(size / megabyte)} MiB at once.`,
          hint: "Its administrator, or that of a proxy before it, can raise the limit.",
          cause: refusal(this.endpoint.connection, answer, this.endpoint.name),
        },
      );
    }
    this.habit = { ...this.habit, largest };
    this.learned = true;
    return new Setback("smaller pieces are wanted", { answer, goOn: "now" });
  }

  private async *counted(from: number, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let position = from;
    for await (const chunk of chunks) {
      yield chunk;
      position += chunk.length;
      this.bytesSent += chunk.length;
      this.reached = position;
      this.onProgress(position);
    }
  }

  /** Milliseconds that the registry may take over some bytes. */
  private patience(size: number): number {
    const { timeout = defaultTimeout, commitTimeout = 600_000 } = this.endpoint.connection.options;
    return size > firstPiece ? commitTimeout : Math.min(commitTimeout, 4 * timeout);
  }

  private get host(): string {
    return this.endpoint.connection.registry;
  }

  private async knownHabit(): Promise<Habit> {
    this.habit ??= await this.habits.of(this.host);
    return this.habit;
  }
}
