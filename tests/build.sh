# SPDX-License-Identifier: MIT
#
# Read by tests/run and tests/slow/*: what tests there are, and the build they run from. Expects
# contrib/devstack/common.sh to have been read, and $build, the folder of the build.

# Every test by its NAME and its file, a tab between: the cmocka programs of a folder, live files.
tests_of() {
	for folder in "$@"; do
		for file in "$top/tests/$folder"/test_*.c "$top/tests/$folder"/*.test.mjs; do
			[ -e "$file" ] || continue
			name=${file##*/}
			name=${name%.c}
			printf '%s\t%s\n' "${name%.test.mjs}" "${file#"$top"/}"
		done
	done
}

# The file of the test of that NAME, or path; nothing when there is none.
test_file() {
	tests_of unit story live | awk -F '\t' -v name="${1#"$top"/}" '
	{
		path = $2
		sub(/\.(c|test\.mjs)$/, "", path)
	}
	name == $1 || name == $1 ".c" || name == $1 ".test.mjs" || name == $2 || name == path {
		print $2
		exit
	}'
}

# Goes to the build folder, configured. A fifth of what gcc takes is to track where variables are,
# for gdb; backtraces have their lines without. gold links in a third of ld's time.
enter_tests_build() {
	[ -x "$top/configure" ] && [ "$top/configure" -nt "$top/configure.ac" ] ||
	    "$top/autogen.sh" || return 1
	enter_build "$build"
	linker=
	! have ld.gold || linker=-fuse-ld=gold
	[ -e Makefile ] || "$source/configure" -q --enable-sanitizers --enable-werror \
	    CFLAGS="-O1 -g -fno-var-tracking" LDFLAGS="$linker"
}

# The program and every test, or only the TARGETs.
build_tests() {
	enter_tests_build || return 1
	jobs=$(nproc)
	if [ $# -eq 0 ]; then
		make -s -j"$jobs" all && make -s -j"$jobs" check TESTS= &&
		    make -s -j"$jobs" live-programs
		return
	fi
	# One after the other: `all` is a make of its own, and would build the same beside the rest.
	for target in "$@"; do
		make -s -j"$jobs" "$target" || return 1
	done
}
