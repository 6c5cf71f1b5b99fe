/**
 * All scenarios, by what they are about.
 *
 * @module
 */

import type { Scenario } from "../scenario.ts";
import { connections } from "./connections.ts";
import { datagrams } from "./datagrams.ts";
import { differences } from "./differences.ts";
import { files } from "./files.ts";
import { functions } from "./functions.ts";
import { halfClose } from "./half_close.ts";
import { handlers } from "./handlers.ts";
import { mixins } from "./mixins.ts";
import { options } from "./options.ts";
import { recv } from "./recv.ts";
import { select } from "./select.ts";
import { send } from "./send.ts";
import { servers } from "./servers.ts";
import { overTls } from "./tls.ts";
import { timeouts } from "./timeouts.ts";

/** The scenarios over sockets without TLS. */
const PLAIN: Record<string, Scenario[]> = {
  recv,
  send,
  timeouts,
  "half-close": halfClose,
  connections,
  datagrams,
  files,
  options,
  select,
  functions,
  servers,
  handlers,
  "mix-ins": mixins,
  differences,
};

/** The scenarios. */
export const GROUPS: Record<string, Scenario[]> = {
  ...PLAIN,
  TLS: overTls(Object.values(PLAIN).flat()),
};
