# SPDX-License-Identifier: MIT
# One name, one thing: file names, struct tags and functions are defined once in the tree, so that
# `grep -rn '^name('` finds the one definition. What a test links in the place of src/ is the only
# second one: a public function, or an opaque struct, in a file fake_*; and that once, too.
# Used after strip.awk, before source.awk, which calls these for each line of code. The files come
# in the order of their names: src/ is read before tests/.

BEGIN {
	# Every program has its own of these.
	everywhere = " main LLVMFuzzerTestOneInput set_up tear_down "
}

function base_name(path) {
	sub(/^.*\//, "", path)
	return path
}

function names_enter(	name) {
	name = base_name(FILENAME)
	if (name in file_at)
		say("a second file of this name: " file_at[name])
	else
		file_at[name] = FILENAME
}

# Whether this file may define `thing` again, which `original` has defined.
function may_stand_in(thing, original) {
	if (FILENAME !~ /^(\.\/)?tests\/(.*\/)?fake_[^\/]*$/ || original !~ /^(\.\/)?src\//)
		return 0
	if (thing in stand_in_at)
		return stand_in_at[thing] == FILENAME
	stand_in_at[thing] = FILENAME
	return 1
}

# (One file may define a name once for each side of an #ifdef.)
function names_function(name, line, is_static) {
	if (name ~ /^test_/ && FILENAME ~ /^(\.\/)?tests\//)
		print FILENAME ":" line ": " name "(): a case says what is so, without test_"
	if (index(everywhere, " " name " "))
		return
	if (!(name in function_file)) {
		function_file[name] = FILENAME
		function_line[name] = line
		function_static[name] = is_static
	} else if (function_file[name] != FILENAME && (is_static || function_static[name] || \
	    !may_stand_in(name "()", function_file[name])))
		print FILENAME ":" line ": " name "() is defined in " function_file[name] ":" \
		    function_line[name] " too"
}

# struct, union and enum share their names; wherever on a line one is defined.
function names_tag(text,	tag, name) {
	while (match(text, /(struct|union|enum)[ \t]+[A-Za-z_][A-Za-z_0-9]*[ \t]*\{/)) {
		tag = substr(text, RSTART, RLENGTH)
		if (RSTART > 1 && substr(text, RSTART - 1, 1) ~ /[A-Za-z_0-9]/)
			tag = ""
		text = substr(text, RSTART + RLENGTH)
		sub(/[ \t]*\{$/, "", tag)
		name = tag
		sub(/^[a-z]+[ \t]+/, "", name)
		if (tag == "")
			continue
		if (!(name in tag_file))
			tag_file[name] = FILENAME
		else if (tag_file[name] != FILENAME && !may_stand_in(tag, tag_file[name]))
			say(tag " is defined in " tag_file[name] " too")
	}
}
