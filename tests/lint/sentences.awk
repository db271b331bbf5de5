# SPDX-License-Identifier: MIT
# What users and operators read is a sentence: a capital (or a value) first, a stop (or a sentence
# that was handed on) last. The text is the argument of a call that makes errors or log lines.
# Used after strip.awk; source.awk calls sentence_check() for each line.

BEGIN {
	# The call, and which of its arguments is the text.
	n = split("flow_fail 3 flow_wake_fail 3 flow_abort 3 err_set 3 log_event 4 conf_say 2 " \
	    "parse_fail 3 parse_refuse 2 multipart_refuse 2 web_response_fail 3 " \
	    "reader_refuse 2", calls, " ")
	for (i = 1; i < n; i += 2)
		text_argument[calls[i]] = calls[i + 1]
	for (name in text_argument)
		sentence_calls = sentence_calls (sentence_calls == "" ? "" : "|") name
	sentence_pattern = "(^|[^A-Za-z0-9_])(" sentence_calls ")\\("
	sentence_open = ""
}

# The string literals of argument `want` of a call, joined; "" when it is not all literal.
function sentence_text(call, want,	i, c, depth, argument, text, quoted, other) {
	depth = 0
	argument = 1
	quoted = 0
	text = ""
	other = 0
	for (i = 1; i <= length(call); i++) {
		c = substr(call, i, 1)
		if (quoted) {
			if (c == "\\") {
				if (argument == want)
					text = text substr(call, i, 2)
				i++
			} else if (c == "\"")
				quoted = 0
			else if (argument == want)
				text = text c
			continue
		}
		if (c == "\"")
			quoted = 1
		else if (c == "(" || c == "{")
			depth++
		else if (c == ")" || c == "}") {
			if (--depth == 0)
				break
		} else if (c == "," && depth == 1)
			argument++
		else if (argument == want && c !~ /[ \t\n]/)
			other = 1
	}
	return other && text !~ /^"/ && text == "" ? "" : text
}

function sentence_judge(call, line,	name, text) {
	name = call
	sub(/\(.*$/, "", name)
	text = sentence_text(call, text_argument[name])
	if (text == "")
		return
	if (text !~ /^[A-Z%`<]/)
		print FILENAME ":" line ": a sentence begins with a capital: \"" text "\""
	if (text !~ /[.?]$/ && text !~ /%(\.\*)?s$/)
		print FILENAME ":" line ": a sentence ends with a stop: \"" text "\""
}

# raw: the line as it stands; code: the same without comments and strings.
function sentence_check(raw, code) {
	if (sentence_open == "") {
		if (raw ~ /^[A-Za-z_#]/ || !match(code, sentence_pattern))
			return
		match(raw, sentence_pattern)
		sentence_open = substr(raw, RSTART)
		sub(/^[^A-Za-z0-9_]/, "", sentence_open)
		sentence_line = FNR
	} else
		sentence_open = sentence_open "\n" raw
	if (code ~ /;/) {
		sentence_judge(sentence_open, sentence_line)
		sentence_open = ""
	}
}
