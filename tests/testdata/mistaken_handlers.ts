/** A handler whose module does not export it under its name. */

import { StreamRequestHandler } from "../../mod.ts";

class Upper extends StreamRequestHandler {
  static readonly moduleUrl = import.meta.url;
}

/** The class, under another name than its own: workers look for `Upper`. */
export const handlers = { Upper };
