# SPDX-License-Identifier: Apache-2.0
# The report of report.jq as an SVG: for each load the rate with / without the sensor and its 95 %
# interval; grey: what the machine does by itself. Peers of the same run: their medians.
def colour: {auditd: "#c0392b", bpftrace: "#d68910", pgaudit: "#7d3c98", server_audit: "#1e8449"}[.] // "#000";
def x: [[., 0] | max, 2] | min * 300 + 120;
def line($x1; $y1; $x2; $y2; $style): "<line x1=\"\($x1)\" y1=\"\($y1)\" x2=\"\($x2)\" y2=\"\($y2)\" \($style)/>";

(.peers | map(.side) | unique) as $sides | .peers as $peers
| (.loads | length * 24 + 50) as $height
| "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"\($height)\" font-family=\"sans-serif\" font-size=\"12\">",
"<rect width=\"760\" height=\"\($height)\" fill=\"#fff\"/>",
([0, 0.5, 1, 1.5, 2][] | line(x; 20; x; $height - 30; "stroke=\"\(if . == 1 then "#444" else "#ddd" end)\""),
	"<text x=\"\(x)\" y=\"\($height - 14)\" text-anchor=\"middle\">\(.)</text>"),
(.loads | to_entries[] | (.key * 24 + 36) as $y | .value
	| "<text x=\"110\" y=\"\($y + 4)\" text-anchor=\"end\">\(.workload)</text>",
	line(.noise.q1 | x; $y; .noise.q3 | x; $y; "stroke=\"#ccc\" stroke-width=\"12\""),
	line(.rate.low | x; $y; .rate.high | x; $y; "stroke=\"#1f5fa8\" stroke-width=\"2\""),
	(.workload as $w | $peers[] | select(.workload == $w)
		| "<circle cx=\"\(.rate.median | x)\" cy=\"\($y)\" r=\"3\" fill=\"\(.side | colour)\"/>"),
	"<circle cx=\"\(.rate.median | x)\" cy=\"\($y)\" r=\"4\" fill=\"#1f5fa8\"/>"),
(if $sides == [] then empty else ["rollcall"] + $sides | to_entries[] end
	| "<text x=\"\(.key * 90 + 130)\" y=\"14\" fill=\"\(if .value == "rollcall" then "#1f5fa8" else .value | colour end)\">\(.value)</text>"),
"</svg>"
