# SPDX-License-Identifier: Apache-2.0
# Figures as text, for table.jq and page.jq.
def pad($n): tostring | . + (" " * ([$n - length, 0] | max));
def lead($n): tostring | (" " * ([$n - length, 0] | max)) + .;
def fixed($d): . as $x | if $x == null then "-" else pow(10; $d) as $p | ($x * $p | round) as $i
	| if $d == 0 then $i | tostring else (($i / $p) | floor | tostring) + "."
		+ (($i - (($i / $p) | floor) * $p) | tostring | lead($d) | gsub(" "; "0")) end end;
def range3: (.median | fixed(2) | lead(5)) + "  (" + (.low | fixed(2)) + "-" + (.high | fixed(2)) + ")";
# What of the latencies was measured, each with its name.
def spans: [.latency_ms | to_entries[] | select(.value) | {name: {printed: "kernel event to printed finding",
	stored: "kernel event to stored finding", stored_row: "first row to stored finding"}[.key]} + .value];
