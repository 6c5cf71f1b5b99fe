/**
 * Whether the scenarios can run here.
 *
 * @module
 */

import {
  havePython,
  haveUnix,
  mayFork,
  unstableNet,
} from "../helpers/allowed.ts";

/** With Python, and with every permission: there are all kinds of servers in them. */
export const ready: boolean = havePython() && mayFork && haveUnix &&
  unstableNet;
