/**
 * Runs examples in one process, each with arguments of its own: `[script, args]` pairs as JSON in the first argument.
 * Each example starts once the one before it listens.
 */

const examples: [script: string, args: string[]][] = JSON.parse(Deno.args[0]);
const { log } = console;

for (const [script, args] of examples) {
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  const { promise, resolve } = Promise.withResolvers<void>();
  console.log = (...said) => {
    log(script, ...said);
    if (String(said[0]).startsWith("Listening")) resolve();
  };
  import(new URL(`../../${script}`, import.meta.url).href); // ends with the signal
  await promise;
}
log("all listen");
