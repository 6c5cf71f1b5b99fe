/** Tests of the pages, the layers, what is published, the benchmarks. */

import "../architecture_test.ts";
import "../arrows_test.ts";
import "../bench_test.ts";
import "../canaries_test.ts";
import "../capacity_test.ts";
import "../doc_examples_test.ts";
import "../docs_test.ts";
import "../mistakes_test.ts";
import "../porting_test.ts";
import "../published_test.ts";
