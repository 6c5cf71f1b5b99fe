/** Tests of calls that nobody awaits: they hear every unhandled rejection, so that no others are beside them. */

import "../unawaited_test.ts";
