# SPDX-License-Identifier: MIT
# Sizes, banned calls, typedefs and the look of a line of C. Used after strip.awk and layers.awk.

BEGIN {
	FILE_MAX = 400
	FUNCTION_MAX = 60
	STEP_MAX = 25
	COLUMN_MAX = 100
	LICENCE = "/* SPDX-License-Identifier: MIT */"

	word = "(^|[^A-Za-z0-9_.>])("
	call = ")[ \t]*\\("
	# No ceiling, no error, hidden state, a shell, or a name that is taken by the time it is used.
	banned = word "strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|atof|" \
	    "system|popen|tmpnam|tempnam|mktemp|alloca|gethostbyname|gethostbyaddr|longjmp" call
	# These block the loop they are called from. (Tests have no loop to block.)
	blocking = word "PQconnectdb|PQconnectdbParams|PQsetdb|PQsetdbLogin|PQexec|PQexecParams|" \
	    "PQprepare|PQexecPrepared|PQdescribePrepared|PQreset|PQping|redisConnect|" \
	    "redisCommand|curl_easy_perform|sleep|usleep|nanosleep" call
	# (struct x *)f, ...->flow, &...->child; but not what a flow points to: (struct x *)f->y.
	flow_cast = "\\((const )?struct [A-Za-z_0-9]+ \\*\\)[ \t]*&?([A-Za-z_0-9]+(->|\\.))*" \
	    "(f|flow|child|parent)([^A-Za-z0-9_.([-]|-[^>]|$)"
}

FNR == 1 {
	in_comment = 0
	name_line = body_line = 0
	before = typedef = sentence_open = ""
	functions = 0
	layer_enter()
	names_enter()
	if ($0 != LICENCE)
		say("the first line must be " LICENCE)
}

FNR == FILE_MAX + 1 {
	say("the file is longer than " FILE_MAX " lines")
}

{
	check_look($0)
	visible = !in_comment
	code = strip($0)
	if (visible && code ~ /^[ \t]*#[ \t]*include/ && module != "tests")
		layer_check(include_line($0))
	check_calls(code)
	check_typedef(code)
	names_tag(code)
	check_flow(code)
	if (module != "tests")
		sentence_check($0, code)
	check_function(code)
}

# strip() empties the name too; only what follows it may go.
function include_line(line) {
	sub(/[ \t]*(\/\*|\/\/).*$/, "", line)
	return line
}

function columns(line,	n, i, part, count) {
	gsub(/[\200-\277]/, "", line)	# UTF-8: one column a character
	count = split(line, part, "\t")
	n = length(part[1])
	for (i = 2; i <= count; i++)
		n = n - n % 8 + 8 + length(part[i])
	return n
}

function check_look(line,	n) {
	if (line ~ /[ \t\r]$/)
		say("blanks at the end of the line")
	n = columns(line)
	if (n > COLUMN_MAX)
		say(n " columns, " COLUMN_MAX " at most")
}

function called(text, pattern) {
	match(text, pattern)
	text = substr(text, RSTART, RLENGTH)
	gsub(/[^A-Za-z0-9_]/, "", text)
	return text
}

function check_calls(text) {
	if (text ~ banned)
		say("banned call: " called(text, banned))
	if (module != "tests" && module != "ctl" && text ~ blocking)
		say("this call blocks a loop: " called(text, blocking))
	if (text ~ /(^|[^A-Za-z0-9_])NDEBUG($|[^A-Za-z0-9_])/)
		say("asserts stay on: no NDEBUG")
}

# A typedef is read up to its semicolon; only function types have one, and end in _fn.
function check_typedef(text) {
	if (typedef == "" && text !~ /^[ \t]*typedef[ \t]/)
		return
	typedef = typedef text
	if (typedef ~ /typedef[ \t]+(struct|union|enum)[ \t]*[A-Za-z0-9_]*[ \t]*\{/ ||
	    (typedef ~ /;/ && typedef !~ /_fn[ \t)]*\(/))
		say("typedef of something other than a *_fn function type")
	else if (typedef !~ /;/)
		return
	typedef = ""
}

# A reader of a handler meets its steps first; a flow is cast by the macro that checks it. (The
# engine itself has no handlers; tests cast their own.)
function check_flow(text) {
	if (module == "tests" || module == "loop")
		return
	if (functions > 0 && text ~ /^(static )?(const )?struct flow_step [A-Za-z_0-9]+\[/)
		say("a step table stands above the first function of its file")
	if (text ~ flow_cast)
		say("a flow is cast by FLOW_OF()")
}

# KNF: the name starts a line, the body is between braces that start a line; or all is one line.
function check_function(text,	size, most) {
	if (text ~ /^[A-Za-z_].*\(/ && text !~ /;[ \t]*$/) {
		name_line = FNR
		name = text
		sub(/[ \t]*\(.*$/, "", name)
		sub(/^.*[ \t*]/, "", name)
		step = before ~ /enum flow_rc[ \t]*$/ && text ~ /\(struct flow \*[a-z_]*\)/
		is_static = before ~ /^static/ || text ~ /^static/
		# With a "=", it is a variable's first line.
		one_line = text ~ /\{.*\}[ \t]*$/ && text !~ /=/
	}
	if (name_line && (text ~ /^\{/ || (name_line == FNR && (one_line || text ~ /\{[ \t]*$/))))
		body_line = FNR
	if (body_line && (text ~ /^\}/ || (name_line == FNR && one_line))) {
		functions++
		names_function(name, name_line, is_static)
		size = FNR - name_line + 1
		most = step ? STEP_MAX : FUNCTION_MAX
		if (size > most)
			print FILENAME ":" name_line ": " name "() has " size " lines, " \
			    (step ? "a step " : "") most " at most"
		name_line = body_line = 0
	}
	before = text
}
