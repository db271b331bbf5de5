# SPDX-License-Identifier: MIT
# One name, one thing: file names, struct tags and functions are defined once in the tree, so that
# `grep -rn '^name('` finds the one definition. A test may define a public function of the program,
# or an opaque struct of it, to be linked in its place; such a stand-in lives in a fake_* file.
# Used after strip.awk, before source.awk, which calls these for each line of code.

BEGIN {
	# Every program has its own of these.
	everywhere = " main LLVMFuzzerTestOneInput set_up tear_down "
}

function base_name(path) {
	sub(/^.*\//, "", path)
	return path
}

function is_test(path) {
	return path ~ /^(\.\/)?tests\//
}

function is_fake(path) {
	return is_test(path) && base_name(path) ~ /^fake_/
}

function names_enter(	name) {
	name = base_name(FILENAME)
	if (name in file_at)
		say("a second file of this name: " file_at[name])
	file_at[name] = FILENAME
}

# Two definitions are one thing when a test stands in for the program, or for another test. (One
# file may define a name once for each side of an #ifdef.)
function may_stand_in(name, is_static, first, first_static) {
	if (is_static || first_static)
		return 0
	return is_fake(FILENAME) || is_fake(first)
}

function names_function(name, line, is_static) {
	if (index(everywhere, " " name " "))
		return
	if (!(name in function_at)) {
		function_at[name] = FILENAME ":" line
		function_file[name] = FILENAME
		function_static[name] = is_static
	} else if (function_file[name] != FILENAME && !may_stand_in(name, is_static, function_file[name], function_static[name]))
		print FILENAME ":" line ": " name "() is defined in " function_at[name] " too"
}

function names_tag(text,	name) {
	if (text !~ /^(struct|union|enum)[ \t]+[a-z_0-9]+[ \t]*\{/)
		return
	name = text
	sub(/^[a-z]+[ \t]+/, "", name)
	sub(/[ \t]*\{.*$/, "", name)
	if (!(name in tag_at))
		tag_at[name] = FILENAME
	else if (!is_fake(FILENAME) && !is_fake(tag_at[name]))
		say("struct " name " is defined in " tag_at[name] " too")
}
