#!/bin/sh
# SPDX-License-Identifier: MIT
# One finding for each place where clang-format would write the given C files otherwise. Blanks
# between two words of a line are the author's own: tables and structs are laid out in columns.
set -u

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

one_blank_between_words() {
	awk '{
		match($0, /^[ \t]*/)
		indent = substr($0, 1, RLENGTH)
		rest = substr($0, RLENGTH + 1)
		gsub(/[ \t]+/, " ", rest)
		print indent rest
	}' "$@"
}

for file in "$@"; do
	if ! clang-format "$file" >"$work/formatted" 2>"$work/errors"; then
		echo "$file:1: clang-format: $(head -n 1 "$work/errors")"
		continue
	fi
	one_blank_between_words "$file" >"$work/is"
	one_blank_between_words "$work/formatted" >"$work/wanted"
	diff "$work/is" "$work/wanted" | awk -v file="$file" '
		/^[0-9]/ {
			sub(/[^0-9].*$/, "")
			print file ":" $0 ": not as clang-format writes it"
		}'
done
