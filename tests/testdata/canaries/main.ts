/**
 * Runs probes of faults of Deno, one after the other, and prints the name of each with "fault" if Deno has it, or "gone".
 * A probe whose fault ends the process prints nothing. Run by `canaries_test.ts` with pairs of arguments: the name of a
 * file beside this one and of the probe.
 */

const encoder = new TextEncoder();
for (let at = 0; at < Deno.args.length; at += 2) {
  const [file, name] = Deno.args.slice(at);
  const probes: Record<string, () => Promise<boolean>> = await import(
    new URL(file, import.meta.url).href
  );
  const answer = await probes[name]() ? "fault" : "gone";
  await Deno.stdout.write(encoder.encode(`${name} ${answer}\n`));
}
Deno.exit();
