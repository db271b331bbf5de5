#!/bin/sh
# SPDX-License-Identifier: MIT
# One finding for each place where clang-format would write the given C files otherwise. Blanks
# between two words of a line are the author's own: tables and structs are laid out in columns. Most
# files are as clang-format writes them to the letter: one run for all says which are not, and only
# these are looked at closely.
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

# The files that are not, one a line; all of them when clang-format cannot say.
differing() {
	clang-format --dry-run --Werror "$@" >"$work/dry" 2>&1 && return
	if grep -v '^[^ ]*:[0-9]*:[0-9]*: error: code should be clang-formatted' "$work/dry" |
	    grep -q ': error:\|^[A-Z]'; then
		printf '%s\n' "$@"
	else
		sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: error: .*/\1/p' "$work/dry" | sort -u
	fi
}

differing "$@" | while IFS= read -r file; do
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
