/** Tests of the pages, the layers, what is published, the benchmarks. */

import "../project/architecture_test.ts";
import "../project/arrows_test.ts";
import "../project/bench_test.ts";
import "../project/canaries_test.ts";
import "../project/capacity_test.ts";
import "../project/doc_examples_test.ts";
import "../project/docs_test.ts";
import "../project/mistakes_test.ts";
import "../project/porting_test.ts";
import "../project/published_test.ts";
