/** Tests of handlers in child processes. */

import "../children/accept_in_children_test.ts";
import "../mixins/accept_in_test.ts";
import "../children/acceptors_test.ts";
import "../children/call_executor_test.ts";
import "../children/child_acceptor_test.ts";
import "../children/child_job_test.ts";
import "../children/child_pool_test.ts";
import "../children/child_survey_test.ts";
import "../children/child_transports_test.ts";
import "../children/children_accept_rules_test.ts";
import "../children/forking_test.ts";
import "../children/forking_child_test.ts";
import "../children/forking_death_test.ts";
import "../children/forking_handover_test.ts";
import "../children/forking_hostile_test.ts";
import "../children/forking_permissions_test.ts";
import "../children/parent_link_test.ts";
import "../handoff/permissions_test.ts";
import "../children/pool_child_test.ts";
