/** Tests of calls that nobody awaits: they hear every unhandled rejection, so that no others are beside them. */

import "../mixins/unawaited_test.ts";
