/** Tells of an error while no descriptor is left, and when there are some again. Run by `failure_test.ts`. */

import "./early_signals.ts";
import { toFailure } from "../../internal/handoff/failure.ts";

const held: Deno.FsFile[] = [];
try {
  for (;;) held.push(Deno.openSync("/dev/null"));
} catch {
  // all are taken
}
await new Promise((resolve) => setTimeout(resolve));
const refused = await Deno.connect({ hostname: "127.0.0.1", port: 1 })
  .catch((error) => error);
const told = [toFailure(refused), toFailure(new Error("own"))];
for (const file of held) file.close();
told.push(toFailure(new Error("later")));
console.log(JSON.stringify(told.map(({ stack }) => stack !== undefined)));
