// links: user/cli/setup_depends.c user/cli/client.c
// SPDX-License-Identifier: Apache-2.0
// What uses a table, from texts as information_schema of MariaDB 10.11 has them.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/setup_depends.h"
#include "lib/clean.h"
#include "lib/resolved.h"

/* As the client prints it: fields between tabs, escaped. Behind what uses them, on purpose. */
static const char schema[] =
	"server\t10.11.6-MariaDB\t/var/lib/mysql/\n"
	"table\tmdm\tstaff\tBASE TABLE\tInnoDB\t5000\t37\n"
	"column\t1\tid\n"
	"view\tmdm\tv_over_function\tselect `f_of_f`(`mdm`.`device`.`id`) AS `n` from "
	"`mdm`.`device`\n"
	"view\tmdm\tv_over_view\tselect `v`.`n` AS `n` from `Mdm`.`v_staff` `v`\n"
	"view\tmdm\tv_staff\tselect `mdm`.`staff`.`name` AS `n` from `mdm`.`staff`\n"
	"view\tmdm\tv_other\tselect `mdm`.`staffing`.`name` AS `staff` from `mdm`.`staffing`\n"
	"view\tother\tv_staff\tselect `other`.`staff`.`name` AS `n` from `other`.`staff`\n"
	"routine\tmdm\tf_of_f\treturn concat('-', `mdm`.f_name (i))\n"
	"routine\tmdm\tf_name\treturn (select n from v_staff limit 1)\n"
	"routine\tother\tf_name\treturn (select name from staff limit 1)\n"
	"routine\tother\tf_far\tbegin\\n\\tdeclare c cursor for select name from mdm.Staff;\\nend\n"
	"routine\tmdm\tf_text\treturn 'read from staff'\n"
	"routine\tmdm\tf_quiet\treturn concat('staff', id, (select max(staff) from device))\n"
	"routine\tmdm\tp_call\tbegin call p_noting(1); end\n"
	"routine\tmdm\tp_noting\tbegin insert into noted values (i); end\n"
	"routine\tmdm\tp_reading\tbegin select * from noted; end\n"
	"routine\tmdm\tp_dynamic\tbegin set @q = concat('select * from st', 'aff'); prepare s from "
	"@q; end\n"
	"routine\tmdm\tpack\tfunction people return int as begin return (select count(*) from "
	"staff); end; end\n"
	"routine\tmdm\tf_pack\treturn pack.people()\n"
	"trigger\tmdm\tnoted\tset new.n = (select count(*) from staff)\n"
	"trigger\tmdm\tdevice\tset new.serial = 'x'\n";

static void test_depends(void **state)
{
	static const char *const wanted[] = {
		"table mdm.staff",	    "view mdm.v_staff",	    "routine other.f_far",
		"routine mdm.f_text",	    "routine mdm.pack",	    "routine mdm.f_pack",
		"trigger mdm.noted",	    "view mdm.v_over_view", "routine mdm.f_name",
		"routine mdm.f_of_f",	    "routine mdm.p_noting", "routine mdm.p_call",
		"view mdm.v_over_function",
	};
	_cleanup_(resolved_freep) struct resolved *r = resolved_new();
	struct resolved_relation staff = {
		.kind = (char[]){"table"}, .schema = (char[]){"mdm"}, .name = (char[]){"staff"}};
	struct resolved_server server = {.system = ROLLCALL__SYSTEM__mariadb};
	struct client_result got = {.text = strdup(schema)};
	const struct resolved_table *t;

	(void)state;
	assert_int_equal(client_rows(got.text, &got), 0);
	assert_int_equal(resolved_add_server(r, &server), 0);
	assert_int_equal(resolved_add_table(r, "mariadb:mdm.staff", 0), 0);
	t = r->tables;
	assert_int_equal(resolved_add_relation(&r->tables[0], &staff), 0);
	assert_int_equal(setup_depends_add(&r->tables[0], &got), 0);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool found = false;
		char name[256];

		for (size_t k = 0; k < t->n_relations; k++) {
			snprintf(name, sizeof(name), "%s %s.%s", t->relations[k].kind,
				 t->relations[k].schema, t->relations[k].name);
			found |= strcmp(name, wanted[i]) == 0;
		}
		if (!found)
			fail_msg("not found: %s", wanted[i]);
	}
	/* And nothing else; a second time nothing at all. */
	assert_int_equal(t->n_relations, sizeof(wanted) / sizeof(wanted[0]));
	assert_int_equal(setup_depends_add(&r->tables[0], &got), 0);
	assert_int_equal(t->n_relations, sizeof(wanted) / sizeof(wanted[0]));
	client_result_fini(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
