/** Tests of the same as CPython. */

import "../conformance/conformance_test.ts";
import "../conformance/coverage_test.ts";
import "../conformance/random_test.ts";
import "../conformance/upstream_test.ts";
