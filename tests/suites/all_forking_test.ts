/** Tests of handlers in child processes. */

import "../accept_in_children_test.ts";
import "../accept_in_test.ts";
import "../children_accept_rules_test.ts";
import "../children_units_test.ts";
import "../forking_test.ts";
import "../forking_child_test.ts";
import "../forking_death_test.ts";
import "../forking_handover_test.ts";
import "../forking_hostile_test.ts";
import "../forking_permissions_test.ts";
import "../forking_property_test.ts";
