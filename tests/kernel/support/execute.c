// SPDX-License-Identifier: Apache-2.0
// See execute.h.
#include "kernel/support/execute.h"

#include <stdio.h>

#include "kernel/support/check.h"
#include "kernel/support/witness.h"

const Rollcall__Exec *execute_run(const char *name, int (*go)(void))
{
	const Rollcall__Event *ev;
	int status = -1;
	pid_t pid = witness_run(go, &status);

	check_number(name, "status of the child", (uint64_t)status, 0);
	ev = witness_event(ROLLCALL__EVENT__KIND_EXEC, pid, 0);
	check_number(name, "exec events", witness_count(ROLLCALL__EVENT__KIND_EXEC, pid), 1);
	printf("coverage: exec | %s | %s | %s\n", name, witness_hook("exec"),
	       ev ? "seen" : "not seen");
	return ev ? ev->exec : NULL;
}
