// SPDX-License-Identifier: Apache-2.0
// What is lost last: what tells of an attack, and what proves that nothing else is missing.
#include "sensor/derive/class.h"

#include "sensor/derive/finding.h"
#include "transport.pb-c.h"

/* Kinds of files and network (event.proto): many, and each of little weight. */
#define FIRST_BULK 30
#define END_BULK   70

uint32_t class_of(const struct finding_thresholds *t, const Rollcall__Event *ev)
{
	const Rollcall__Db *db;

	switch (ev->kind_case) {
	case ROLLCALL__EVENT__KIND_DB_RESULT:
		db = ev->db_result->db;
		return (t->result_rows && db->rows >= t->result_rows) || db->server_side ||
				       *db->replication
			       ? ROLLCALL__CLASS__crit
			       : ROLLCALL__CLASS__bulk;
	case ROLLCALL__EVENT__KIND_DB_SESSION:
	case ROLLCALL__EVENT__KIND_DB_SUMMARY:
		return ROLLCALL__CLASS__bulk;
	default:
		return ev->kind_case >= FIRST_BULK && ev->kind_case < END_BULK
			       ? ROLLCALL__CLASS__bulk
			       : ROLLCALL__CLASS__crit;
	}
}
