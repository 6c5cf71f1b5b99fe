/** Tests of the files of sockets, for `await` and for blocking. */

import "../files/buffered_reader_test.ts";
import "../files/buffered_writer_test.ts";
import "../files/files_abort_test.ts";
import "../files/makefile_test.ts";
import "../files/reader_edges_test.ts";
import "../socket/sendfile_test.ts";
import "../files/socket_files_test.ts";
import "../handlers/stream_handlers_same_test.ts";
import "../files/text_stream_test.ts";
import "../blocking/writers_same_test.ts";
