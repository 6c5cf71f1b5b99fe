/** Tests of the files of sockets, for `await` and for blocking. */

import "../buffered_reader_test.ts";
import "../buffered_writer_test.ts";
import "../files_abort_test.ts";
import "../makefile_test.ts";
import "../reader_edges_test.ts";
import "../sendfile_test.ts";
import "../socket_files_test.ts";
import "../stream_handlers_same_test.ts";
import "../text_stream_test.ts";
import "../writers_same_test.ts";
