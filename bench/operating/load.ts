/**
 * A load on a service that answers lines, and the counts of what its clients see.
 *
 * @module
 */

/** What the clients of a load have seen. */
export interface Counts {
  /** Requests of connections of their own that were answered. */
  short: number;
  /** Requests of connections that stay open that were answered. */
  kept: number;
  /**
   * Requests that were sent again: their connection, which had served others, ended before a byte of the answer. HTTP
   * clients do the same (RFC 9112, section 9.3.1).
   */
  retried: number;
  /** Requests without an answer, by reason. */
  failed: Record<string, number>;
}

/** The milliseconds that a client waits for an answer. Longer than a loaded machine needs. */
const ANSWER_MS = 15_000;

/** The milliseconds between two looks at the counts. */
const LOOK_MS = 20;

const REQUEST = new TextEncoder().encode("hello\n");
const ANSWER = "HELLO\n";

/** The milliseconds that a client waits after an answer, so that the machine has time for the servers. */
const PAUSE_MS = 20;

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Clients that ask again soon after their answer. */
export class Load {
  readonly #address: Deno.ConnectOptions;
  readonly #clients: Promise<void>[];
  readonly #counts: Counts = { short: 0, kept: 0, retried: 0, failed: {} };
  #stopped = false;

  /**
   * Starts the clients.
   *
   * @param address The service.
   * @param short The number of clients that make a connection for each request.
   * @param kept The number of clients that keep their connection.
   */
  constructor(address: Deno.ConnectOptions, short: number, kept: number) {
    this.#address = address;
    this.#clients = [
      ...Array.from({ length: short }, () => this.#askEach()),
      ...Array.from({ length: kept }, () => this.#askOn()),
    ];
  }

  /** Waits until the clients have had so many more answers. */
  async answers(count: number): Promise<void> {
    const answered = () => this.#counts.short + this.#counts.kept;
    const from = answered();
    while (answered() < from + count) {
      await pause(LOOK_MS);
    }
  }

  /** Lets each client finish its request. */
  async stop(): Promise<Counts> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    return this.#counts;
  }

  async #askEach(): Promise<void> {
    while (!this.#stopped) {
      let connection: Deno.Conn | undefined;
      try {
        connection = await Deno.connect(this.#address);
        await ask(connection);
        this.#counts.short++;
      } catch (error) {
        this.#fail("short", error);
      }
      close(connection);
      await pause(PAUSE_MS);
    }
  }

  async #askOn(): Promise<void> {
    let connection: Deno.Conn | undefined;
    while (!this.#stopped) {
      const used = connection !== undefined;
      try {
        connection ??= await Deno.connect(this.#address);
        await ask(connection);
        this.#counts.kept++;
        await pause(PAUSE_MS);
      } catch (error) {
        close(connection);
        connection = undefined;
        if (used && error instanceof Unanswered) this.#counts.retried++;
        else this.#fail("kept", error);
      }
    }
    close(connection);
  }

  #fail(kind: string, error: unknown): void {
    const reason = `${kind}: ${(error as Error).message}`;
    const { failed } = this.#counts;
    failed[reason] = (failed[reason] ?? 0) + 1;
  }
}

function close(connection: Deno.Conn | undefined): void {
  try {
    connection?.close();
  } catch {
    // the limit of time has closed it
  }
}

/** The connection ended before a byte of the answer. */
class Unanswered extends Error {}

/** Sends a request, and throws unless its answer comes. */
async function ask(connection: Deno.Conn): Promise<void> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    connection.close();
  }, ANSWER_MS);
  try {
    const answer = await exchange(connection);
    if (answer === "") throw new Unanswered("ended without an answer");
    if (answer !== ANSWER) throw new Error(`answered ${answer}`);
  } catch (error) {
    throw late ? new Error("no answer in time") : error;
  } finally {
    clearTimeout(timer);
  }
}

async function exchange(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(64);
  let answer = "";
  try {
    await connection.write(REQUEST);
    while (!answer.endsWith("\n")) {
      const count = await connection.read(buffer);
      if (count === null) break;
      answer += new TextDecoder().decode(buffer.subarray(0, count));
    }
  } catch (error) {
    if (answer !== "") throw error;
    throw new Unanswered((error as Error).message);
  }
  return answer;
}
