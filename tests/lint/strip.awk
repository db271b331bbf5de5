# SPDX-License-Identifier: MIT
# What a line of C says to the compiler: comments become a blank, strings and characters empty.
# in_comment carries over the lines of one file; source.awk clears it at the first line.

function say(message) {
	print FILENAME ":" FNR ": " message
}

function strip_quoted(text, pattern) {
	return match(text, pattern) ? substr(text, RLENGTH + 1) : ""
}

function strip(text,	out, at, token) {
	out = ""
	while (text != "") {
		if (in_comment) {
			at = index(text, "*/")
			if (!at)
				return out
			in_comment = 0
			out = out " "
			text = substr(text, at + 2)
			continue
		}
		if (!match(text, /\/\*|\/\/|"|'/))
			return out text
		out = out substr(text, 1, RSTART - 1)
		token = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART)
		if (token == "//")
			return out
		if (token == "/*") {
			in_comment = 1
			text = substr(text, 3)
		} else {
			out = out token token
			text = strip_quoted(text, token == "\"" ? \
			    "^\"([^\"\\\\]|\\\\.)*\"" : "^'([^'\\\\]|\\\\.)*'")
		}
	}
	return out
}
