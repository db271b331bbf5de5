# SPDX-License-Identifier: MIT
# The compile commands of `make -n` on stdin, compile_commands.json for clangd out. Set `dir`, the
# build folder. See compile_commands.json in Makefile.am.

function quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

# One command a line; a source is .c after "-c -o OBJECT".
/ -c -o [^ ]+\.o .*\.c/ {
	command = $0
	sub(/^.*;[ \t]*/, "", command)
	sub(/[ \t]*(&&)?[ \t]*\\?$/, "", command)
	# `test -f 'src/x.c' || echo '../'`src/x.c: the echo has the folder.
	if (match(command, /`test -f '[^']*' \|\| echo '[^']*'`/)) {
		folder = substr(command, RSTART, RLENGTH)
		sub(/^.*echo '/, "", folder)
		sub(/'`$/, "", folder)
		command = substr(command, 1, RSTART - 1) folder substr(command, RSTART + RLENGTH)
	}
	# What make wants to know of dependencies.
	gsub(/ -M[TF] [^ ]+| -MD| -MP/, "", command)
	file = command
	sub(/^.* /, "", file)
	sub(/^ccache /, "", command)
	printf "%s\n{\"directory\": %s, \"file\": %s, \"command\": %s}", n++ ? "," : "[", \
	    quoted(dir), quoted(file), quoted(command)
}

END { print n ? "\n]" : "[]" }
