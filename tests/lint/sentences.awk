# SPDX-License-Identifier: MIT
# What users and operators read is a sentence: a capital (or a value) first, a stop (or a sentence
# that was handed on) last. The text is the argument of a call that makes errors or log lines; what
# is not a literal cannot be judged.
# Used after strip.awk; source.awk calls sentence_check() for each line.

BEGIN {
	# The call, and which of its arguments is the text.
	n = split("flow_fail 3 flow_wake_fail 3 flow_abort 3 err_set 3 log_event 4 conf_error 3 " \
	    "parse_fail 3 parse_refuse 2 multipart_refuse 2 web_response_fail 3 " \
	    "reader_refuse 2 flow_abort_all 3 serve_error 3", calls, " ")
	for (i = 1; i < n; i += 2) {
		text_argument[calls[i]] = calls[i + 1]
		sentence_calls = sentence_calls (i == 1 ? "" : "|") calls[i]
	}
	sentence_pattern = "(^|[^A-Za-z0-9_])(" sentence_calls ")[ \t\n]*\\("
	sentence_open = ""
}

function blanks(n) {
	return n > 0 ? sprintf("%" n "s", "") : ""
}

# How long the comment, string or character is that the text begins with.
function token_length(text,	at) {
	if (substr(text, 1, 2) == "//")
		at = index(text, "\n") - 1
	else if (substr(text, 1, 2) == "/*")
		at = index(text, "*/") + 1
	else if (match(text, /^"([^"\\]|\\.)*"/) || match(text, /^'([^'\\]|\\.)*'/))
		return RLENGTH
	else
		return 1
	return at > 1 ? at : length(text)
}

# The code of a statement, letter for letter as long as the text: comments and characters become
# blanks, a string "___".
function sentence_mask(text,	out, n, bar) {
	out = ""
	while (match(text, /\/\*|\/\/|"|'/)) {
		out = out substr(text, 1, RSTART - 1)
		text = substr(text, RSTART)
		n = token_length(text)
		bar = blanks(n)
		if (substr(text, 1, 1) == "\"" && n > 1) {
			gsub(/ /, "_", bar)
			bar = "\"" substr(bar, 3) "\""
		}
		out = out bar
		text = substr(text, n + 1)
	}
	return out text
}

# Sets found_at and found_length: where argument `want` is, of the call whose "(" mask begins with.
function sentence_argument(mask, want,	i, c, depth, argument) {
	argument = found_at = 1
	found_length = 0
	for (i = 1; i <= length(mask); i++) {
		c = substr(mask, i, 1)
		if (c ~ /[({\[]/)
			depth++
		else if (c ~ /[)}\]]/)
			depth--
		if (depth == 0 || (c == "," && depth == 1)) {
			if (argument++ == want) {
				found_length = i - found_at
				return
			}
			found_at = i + 1
		} else if (i == 1)
			found_at = 2
		if (depth == 0)
			return
	}
}

# begins, ends: whether the text is all there at that end.
function sentence_judge(text, begins, ends, line) {
	if (text == "")
		return
	if (begins && text !~ /^([A-Z0-9%`<]|\\")/)
		print FILENAME ":" line ": a sentence begins with a capital: \"" text "\""
	if (ends && text !~ /[.?!](\)|\\")?$/ && text !~ /%(\.\*)?s$/)
		print FILENAME ":" line ": a sentence ends with a stop: \"" text "\""
}

# Several literals are one text, also with a macro between them; but the two of a ?: are two.
function sentence_read(raw, mask, line,	text, begins, between, conditional) {
	while (match(mask, /[A-Za-z0-9_]\([^()]*\)/)) # calls: their strings are no part of the text
		mask = substr(mask, 1, RSTART) blanks(RLENGTH - 1) substr(mask, RSTART + RLENGTH)
	conditional = index(mask, "?")
	text = ""
	begins = 1
	while (match(mask, /"_*"/)) {
		between = substr(mask, 1, RSTART - 1)
		if (between ~ /[^ \t\n]/) {
			if (conditional) {
				sentence_judge(text, begins, 1, line)
				text = ""
			} else if (text == "")
				begins = 0
		}
		text = text substr(raw, RSTART + 1, RLENGTH - 2)
		raw = substr(raw, RSTART + RLENGTH)
		mask = substr(mask, RSTART + RLENGTH)
	}
	sentence_judge(text, begins, conditional || mask !~ /[^ \t\n]/, line)
}

function sentence_statement(raw, line,	mask, name) {
	mask = sentence_mask(raw)
	while (match(mask, sentence_pattern)) {
		name = substr(mask, RSTART, RLENGTH)
		line += gsub(/\n/, "\n", name) + newlines(substr(mask, 1, RSTART - 1))
		gsub(/[^A-Za-z0-9_]/, "", name)
		raw = substr(raw, RSTART + RLENGTH - 1)
		mask = substr(mask, RSTART + RLENGTH - 1)
		sentence_argument(mask, text_argument[name])
		sentence_read(substr(raw, found_at, found_length), \
		    substr(mask, found_at, found_length), line)
	}
}

function newlines(text) {
	return gsub(/\n/, "", text)
}

# raw: the line as it stands; code: the same without comments and strings. A statement is read up
# to its semicolon.
function sentence_check(raw, code) {
	if (sentence_open == "") {
		if (raw ~ /^[A-Za-z_#]/ || code !~ sentence_pattern)
			return
		sentence_line = FNR
		sentence_open = raw
	} else
		sentence_open = sentence_open "\n" raw
	if (code ~ /;/) {
		sentence_statement(sentence_open, sentence_line)
		sentence_open = ""
	}
}

# A call that was renamed would be judged no more, and nobody would notice. (A tree that has no
# flow_fail() is not the program's: the lint's own test.)
END {
	for (name in text_argument)
		if (("flow_fail" in function_at) && !(name in function_at))
			print "tests/lint/sentences.awk:1: " name "() is in the list of calls, not in the tree"
}
