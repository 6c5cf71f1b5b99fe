/**
 * Runs Python, to compare with what is ported from it.
 *
 * @module
 */

/** Whether Python can be run here; never prompts. Linux, because the results are the C library's. */
export function havePython(): boolean {
  const run = { name: "run", command: "python3" } as const;
  if (
    Deno.build.os !== "linux" ||
    Deno.permissions.querySync(run).state !== "granted"
  ) {
    return false;
  }
  try {
    return new Deno.Command("python3", { args: ["--version"] }).outputSync()
      .success;
  } catch {
    return false; // not installed
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
  const command = new Deno.Command("python3", {
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

/** Whether a program can be run; never prompts. */
export function have(program: string): boolean {
  const run = { name: "run", command: program } as const;
  if (Deno.permissions.querySync(run).state !== "granted") return false;
  try {
    new Deno.Command(program, {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return true;
  } catch {
    return false; // not installed
  }
}
