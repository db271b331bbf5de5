# SPDX-License-Identifier: MIT
# Shows the events of POST /ingest as one line that grows, then what became of the document. Exits
# 1, with the reason, when it was not stored. The last line of the input is `#status CODE`.

function field(text, name,	value) {
	if (!match(text, "\"" name "\":(\"([^\"\\\\]|\\\\.)*\"|[0-9]+)"))
		return ""
	value = substr(text, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
	gsub(/^"|"$/, "", value)
	return value
}

function bar(done, total,	i, text) {
	text = ""
	for (i = 1; i <= 30; i++)
		text = text (i * total <= done * 30 ? "#" : ".")
	return text
}

/^event: / { event = substr($0, 8); next }
/^#status / { status = $2; next }

/^data: / && event == "progress" {
	total = field($0, "total") + 0
	done = field($0, "done") + 0
	if (total < 1)
		total = 1
	printf "\r  %-8s [%s] %d/%d   ", field($0, "stage"), bar(done, total), done, total
	fflush()
	next
}

/^data: / && event == "document" {
	stored = 1
	printf "\r  stored   [%s] %s pages, %s chunks   \n", bar(1, 1), field($0, "pages"),
	    field($0, "chunks")
	next
}

/^data: / && event == "error" {
	status = field($0, "status")
	reason = field($0, "detail")
	next
}

{ reason = reason $0 }

END {
	if (!stored) {
		print "\n  not stored: HTTP " status ": " reason
		exit 1
	}
}
