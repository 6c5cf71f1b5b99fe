/**
 * The error of a request, as a status.
 *
 * @module
 */

/** The reason phrases of the statuses in use: RFC 9110, section 15. */
export const REASONS: Record<number, string> = {
  200: "OK",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  304: "Not Modified",
  400: "Bad Request",
  404: "Not Found",
  408: "Request Timeout",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  505: "HTTP Version Not Supported",
};

/** Ends a request with a status. */
export class HttpError extends Error {
  /**
   * @param status The status.
   * @param explanation The text for the body of the response.
   * @param headers Headers for the response.
   */
  constructor(
    readonly status: number,
    explanation?: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(explanation ?? REASONS[status]);
  }
}
