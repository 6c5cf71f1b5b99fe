/**
 * Whether the scenarios can run here.
 *
 * @module
 */

import { MAY_FORK } from "../forking_helpers.ts";
import { havePython } from "../python.ts";
import { haveUnix, unstableNet } from "../server_helpers.ts";

/** With Python, and with every permission: there are all kinds of servers in them. */
export const ready: boolean = havePython() && MAY_FORK && haveUnix &&
  unstableNet;
