/**
 * Runs Python, to compare with what is ported from it.
 *
 * @module
 */

import { boundedCommand } from "./helpers/within.ts";

export { have, havePython } from "./helpers/allowed.ts";

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
import json, socket, sys
def f(*row):
${body.replaceAll(/^/gm, "    ")}
def run(row):
    try:
        return f(*row)
    except Exception as error:
        return {"error": [type(error).__name__, error.args[0]]}
json.dump([run(row) for row in json.load(sys.stdin)], sys.stdout)
`;
  const command = boundedCommand("python3", {
    args: ["-c", code],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  });
  await using child = command.spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(JSON.stringify(table)))
    .then(() => writer.close());
  const { stdout } = await child.output();
  await written;
  return JSON.parse(new TextDecoder().decode(stdout));
}
