/**
 * Asks CPython for the results of its `io` classes for bytes in given chunks.
 *
 * @module
 */

import { python } from "../helpers/python.ts";

/** One operation: a method and its argument. `next` is the iterator; `readinto` takes a size. */
export type Operation = readonly [name: string, argument: number];

/** The options of a text file, as Python names them. */
export interface OracleText {
  encoding: string;
  errors: "strict" | "replace" | "ignore";
  newline: null | "" | "\n" | "\r" | "\r\n";
}

/** One file and the operations on it. Bytes are strings with one character for each byte. */
export interface OracleCase {
  chunks: string[];
  bufferSize: number;
  text: OracleText | null;
  operations: Operation[];
}

const BODY = `
import io
chunks, size, text, operations = row
pending = [chunk.encode("latin-1") for chunk in chunks]

class Raw(io.RawIOBase):
    def readable(self):
        return True

    def readinto(self, buffer):
        if not pending:
            return 0
        part = pending[0][:len(buffer)]
        buffer[:len(part)] = part
        pending[0] = pending[0][len(part):]
        if not pending[0]:
            pending.pop(0)
        return len(part)

def run(name, argument):
    if name == "next":
        return next(file, file.read(0))
    if not name.startswith("readinto"):
        return getattr(file, name)(argument)
    buffer = bytearray(argument)
    return bytes(buffer[:getattr(file, name)(buffer)])

def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.decode("latin-1") if isinstance(value, bytes) else value

file = io.BufferedReader(Raw(), size)
if text is not None:
    file = io.TextIOWrapper(file, **text)
try:
    return [plain(run(*operation)) for operation in operations]
except UnicodeDecodeError:
    return "UnicodeDecodeError"
`;

/** Returns for each case the result of each operation, or the name of an error. */
export async function askCPython(cases: OracleCase[]): Promise<unknown[]> {
  return await python(
    BODY.trim(),
    cases.map((
      { chunks, bufferSize, text, operations },
    ) => [chunks, bufferSize, text, operations]),
  );
}
