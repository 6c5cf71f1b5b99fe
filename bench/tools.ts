/**
 * The programs that are needed, and where they are.
 *
 * @module
 */

/** The release of Bun that is measured; from npm where it is not installed. */
export const BUN = "1.4.5";

const here = import.meta.dirname!;
const found = new Map<string, Promise<string>>();

/** A program is not there. */
export class Missing extends Error {
  /** The error's name. */
  override name = "Missing";
}

/**
 * The path of a program.
 *
 * @param name `deno`, a command, or the path of a C file beneath `bench`, which is compiled.
 * @throws {Missing} Where there is no such program.
 */
export function program(name: string): Promise<string> {
  let path = found.get(name);
  if (!path) found.set(name, path = find(name));
  return path;
}

async function find(name: string): Promise<string> {
  if (name === "deno") return Deno.execPath();
  if (name.endsWith(".c")) return await compile(name);
  const path = await output(["sh", "-c", `command -v ${name}`]);
  if (path) return path;
  const fromNpm = name === "bun" &&
    await output(["npx", "-y", "-p", `bun@${BUN}`, "-c", "command -v bun"]);
  if (fromNpm) return fromNpm;
  throw new Missing(`no ${name}`);
}

let folder: string | undefined;

/** A folder for what is compiled and created; `removeFolder` removes it. */
export function temporaryFolder(): string {
  return folder ??= Deno.makeTempDirSync({ prefix: "bench-" });
}

/** Removes what `temporaryFolder` made. */
export function removeFolder(): void {
  if (folder !== undefined) Deno.removeSync(folder, { recursive: true });
  folder = undefined;
}

async function compile(name: string): Promise<string> {
  const cc = await program("cc");
  const to = `${temporaryFolder()}/${name.replaceAll(/\W/g, "_")}`;
  const { success, stderr } = await new Deno.Command(cc, {
    args: ["-O2", "-o", to, `${here}/${name}`, ...libraries(name)],
    stderr: "piped",
  }).output();
  if (success) return to;
  const [first] = text(stderr).split("\n").filter((line) =>
    /error|cannot/.test(line)
  );
  throw new Missing(`cc cannot compile ${name}: ${first}`);
}

/** What a C file is linked with. */
function libraries(name: string): string[] {
  return name.startsWith("load/tls_") ? ["-lssl", "-lcrypto"] : [];
}

/** The last line that a command prints; empty where it fails or is not there. */
async function output([command, ...args]: string[]): Promise<string> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args,
      stderr: "null",
    }).output();
    return success ? text(stdout).split("\n").at(-1)! : "";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** What keeps a command on some processors; nothing where that cannot be. */
export async function pinned(...processors: number[]): Promise<string[]> {
  if (processors.length >= navigator.hardwareConcurrency) return [];
  try {
    return [await program("taskset"), "-c", processors.join(",")];
  } catch (error) {
    if (error instanceof Missing) return [];
    throw error;
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).trim();
}
