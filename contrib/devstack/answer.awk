# SPDX-License-Identifier: MIT
# Shows an answer (an AI SDK data stream): words as they arrive, then the pages they came from. Exits 1,
# with the reason, when there was no whole answer. The last line of the input is `#status CODE`.
# With `expect_none`, exits 1 when there are sources.

# A JSON string's content, as far as a terminal should see it.
function plain(text,	out, i, c) {
	out = ""
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "\\") {
			c = substr(text, ++i, 1)
			if (c == "n")
				c = "\n"
			else if (c == "t" || c == "r")
				c = " "
			else if (c == "u") {
				i += 4
				c = " "
			}
		}
		out = out c
	}
	return out
}

function strings(text, name) {
	if (!match(text, "\"" name "\":\"([^\"\\\\]|\\\\.)*\""))
		return ""
	return plain(substr(text, RSTART + length(name) + 4, RLENGTH - length(name) - 5))
}

/^0:/ {
	if (!words++)
		printf "  "
	word = plain(substr($0, 4, length($0) - 4))
	answer = answer word
	printf "%s", word
	fflush()
	next
}

/^2:/ {
	n = split($0, part, /{"type":"source"/)
	for (i = 2; i <= n; i++) {
		page = match(part[i], /"page":[0-9]+/) ? substr(part[i], RSTART + 7, RLENGTH - 7) : ""
		source[++sources] = (page == "" ? "" : "page " page " of ") strings(part[i], "title")
	}
	next
}

# The passages the answer cites as [1], [2]; the others were only read.
function print_sources(	i, cites) {
	for (i = 1; i <= sources; i++)
		if (index(answer, "[" i "]")) {
			cited[source[i]] = 1
			cites++
		}
	for (i = 1; i <= sources; i++) {
		if (source[i] in printed)
			continue
		printed[source[i]] = 1
		print (!cites || source[i] in cited ? "  from " : "  also read: ") source[i]
	}
}

/^8:/ { next }
/^d:/ { finished = 1; next }
/^3:/ { reason = plain(substr($0, 4, length($0) - 4)); next }
/^#status / { status = $2; next }
/^[a-z]:/ { next }
{ reason = reason $0 }

END {
	print "\n"
	print_sources()
	if (!finished) {
		print "  no answer: HTTP " status ": " reason
		exit 1
	}
	if (expect_none && sources > 0) {
		print "  another tenant's document was seen"
		exit 1
	}
	if (!expect_none && !sources) {
		print "  the answer names no page"
		exit 1
	}
}
