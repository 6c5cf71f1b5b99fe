/**
 * Runs one probe of a fault of Deno, and prints "fault" if Deno has it, or "gone". A probe whose fault ends the
 * process prints nothing. Run by `canaries_test.ts` with the name of a file beside this one and of the probe.
 */

const [file, name] = Deno.args;
const probes: Record<string, () => Promise<boolean>> = await import(
  new URL(file, import.meta.url).href
);
const answer = await probes[name]() ? "fault" : "gone";
await Deno.stdout.write(new TextEncoder().encode(answer));
Deno.exit();
