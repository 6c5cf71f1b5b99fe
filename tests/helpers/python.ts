/**
 * Runs Python: to compare with what is ported from it, and as the peer of a socket.
 *
 * All tests of a run share one process of Python, which starts when this module is loaded: a start for each question
 * would cost as much processor time as a test file.
 *
 * @module
 */

import { havePython } from "./allowed.ts";
import { within } from "./within.ts";

/** Runs each program that comes, a line of JSON with its code and its arguments. Answers with lines of JSON. */
const LOOP = `
import hashlib, json, socket, struct, sys, traceback
def answer(**values):
    print(json.dumps(values), flush=True)
def say(value):
    answer(said=value)
def receive_all(sock):
    pieces = []
    while piece := sock.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)
names = dict(globals())
for line in sys.stdin:
    code, argv = json.loads(line)
    try:
        exec(code, {**names, "argv": argv})
        answer(ended=None)
    except Exception:
        answer(ended=traceback.format_exc())
`;

/** A line that Python writes: a value that a program says, or the end of the program, with its traceback. */
type Answer = { said: unknown } | { ended: string | null };

/** The process of Python. It ends when the tests end, because its input does. */
class Python {
  readonly #child = new Deno.Command("python3", {
    args: ["-c", LOOP],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  readonly #input = this.#child.stdin.getWriter();
  readonly #output = this.#child.stdout.pipeThrough(new TextDecoderStream())
    .getReader();
  #rest = "";

  constructor() {
    this.#child.unref();
  }

  async run(code: string, argv: readonly unknown[]): Promise<void> {
    const line = JSON.stringify([code, argv]) + "\n";
    await this.#input.write(new TextEncoder().encode(line));
  }

  async next(): Promise<Answer> {
    while (!this.#rest.includes("\n")) {
      const { value } = await within(this.#output.read());
      if (value === undefined) throw new Error("Python has ended");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return JSON.parse(line);
  }

  /** Ends Python: the programs after one that is stuck fail at once. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

const process = havePython() ? new Python() : undefined;

/** A program of Python's that runs, and says values. One runs at a time. */
export class PythonProgram implements AsyncDisposable {
  readonly #started: Promise<void>;

  /**
   * Starts a program.
   *
   * @param code Its code. `hashlib`, `socket`, `struct`, `say(value)` and `receive_all(sock)` are there.
   * @param argv Its arguments, which it has as `argv`.
   */
  constructor(code: string, ...argv: unknown[]) {
    this.#started = process!.run(code, argv);
  }

  /** The next value. */
  async next(): Promise<unknown> {
    await this.#started;
    const answer = await process!.next();
    if ("said" in answer) return answer.said;
    throw new Error(answer.ended ?? "the Python program has ended");
  }

  /** Waits for the end of the program. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started;
    try {
      for (;;) {
        const answer = await process!.next();
        if ("said" in answer) continue;
        if (answer.ended !== null) throw new Error(answer.ended);
        return;
      }
    } catch (error) {
      process!.kill();
      throw error;
    }
  }
}

/**
 * Runs a Python function over each row of a table and returns its results.
 *
 * @param body The lines of a function `f(*row)`; `socket` is imported. Its result must be JSON. An
 *   exception becomes `{ error: [class name, first argument] }`.
 * @param table The rows.
 */
export async function python(
  body: string,
  table: unknown[][],
): Promise<unknown[]> {
  const code = `
def f(*row):
${body.replaceAll(/^/gm, "    ")}
def run(row):
    try:
        return f(*row)
    except Exception as error:
        return {"error": [type(error).__name__, error.args[0]]}
say([run(row) for row in argv])
`;
  await using program = new PythonProgram(code, ...table);
  return await program.next() as unknown[];
}
