/**
 * Whether the scenarios can run here.
 *
 * @module
 */

import { havePython } from "../python.ts";
import { haveUnix, mayFork, unstableNet } from "../helpers/allowed.ts";

/** With Python, and with every permission: there are all kinds of servers in them. */
export const ready: boolean = havePython() && mayFork && haveUnix &&
  unstableNet;
