# SPDX-License-Identifier: MIT
# TAP in, one line out for each single test: `ok<tab>FROM: NAME` or `not ok<tab>FROM: NAME`.
# Set `from`. A test that holds others is not counted itself, unless it failed while they did not.
# What was skipped or left to do did not pass; a skip that a line `# not run: WHY` explains counts
# neither way: `not run<tab>FROM: NAME`. With `planned` a plan is asked for, and that it was kept.

function indent_of(line) {
	match(line, /^ */)
	return RLENGTH
}

function say(result, name) {
	gsub(/\t/, " ", name)
	print result "\t" from ": " name
}

# YAML blocks hold anything.
/^ *---$/ { yaml = 1 }
yaml {
	if ($0 ~ /^ *\.\.\.$/)
		yaml = 0
	next
}

/^ *# Subtest: / {
	depth = indent_of($0)
	inside[depth] = failures_inside[depth] = 0
	next
}

/^ *# not run: / {
	explained = 1
	next
}

/^1\.\.[0-9]+$/ {
	plan = substr($0, 4) + 0
	has_plan = 1
	next
}

/^ *(not )?ok [0-9]+/ {
	depth = indent_of($0)
	result = $0 ~ /^ *not ok/ ? "not ok" : "ok"
	name = $0
	sub(/^ *(not )?ok [0-9]+ *-? */, "", name)
	if (explained && sub(/# *SKIP */, "", name))
		result = "not run"
	else if (name ~ /# *(SKIP|TODO)/)
		result = "not ok"
	explained = 0
	held = inside[depth]
	failed_held = failures_inside[depth]
	inside[depth] = failures_inside[depth] = 0
	for (d = 0; d < depth; d += 4) {
		inside[d]++
		failures_inside[d] += result == "not ok"
	}
	if (depth == 0)
		top++
	if (held == 0 || (result == "not ok" && failed_held == 0))
		say(result, name)
}

END {
	if (planned && !has_plan)
		say("not ok", "said nothing of its tests")
	else if (planned && top < plan)
		say("not ok", "ended after " top + 0 " of " plan " tests")
}
