# SPDX-License-Identifier: Apache-2.0
# Sourced after servers.sh by tests that ask which rules spoke.

# The findings in $dir/events that a condition selects, each rule once: the sensor's own by id, others by title.
found() { # CONDITION
	jq -r "select(.event == \"finding\") | select($1) |
		if .rule.id | startswith(\"rollcall-\") then .rule.id else .rule.title end" "$dir/events" | sort -u
}

finds() { # NAME CONDITION RULE...: each of the rules spoke
	local rules rule
	rules=$(found "$2")
	for rule in "${@:3}"; do
		check "$1: $rule" "$(grep -cxF "$rule" <<<"$rules")" 1
	done
}

# What `rollcall setup database` says of both servers, in $dir/resolved.
resolve() {
	local cli=${ROLLCALL_CLI:-build/rollcall}
	"$cli" setup database --watch postgresql:hr.public.staff --socket "$dir/run" --port "$port" --output "$dir/resolved.pg" >/dev/null &&
		"$cli" setup database --watch mariadb:mdm.staff --socket "$dir/my/sock" --output "$dir/resolved.my" >/dev/null &&
		jq -s '.[0] + {servers: (.[0].servers + .[1].servers), tables: (.[0].tables + (.[1].tables | map(.server += 1)))}' \
			"$dir/resolved.pg" "$dir/resolved.my" >"$dir/resolved" || exit 1
}
