// SPDX-License-Identifier: Apache-2.0
// Copies JSON objects, one a line, and puts in front of each when it was read: "read", nanoseconds
// of CLOCK_REALTIME. For tests/bench/run.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(void)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		struct timespec t;

		clock_gettime(CLOCK_REALTIME, &t);
		if (*line == '{')
			printf("{\"read\":%lld%09ld,%s", (long long)t.tv_sec, t.tv_nsec, line + 1);
	}
	free(line);
	return 0;
}
