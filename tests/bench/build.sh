# SPDX-License-Identifier: MIT
#
# Read by tests/bench/*: a build without sanitizers in $build. Expects contrib/devstack/common.sh to
# have been read.

export TENANTGATE_STATE="$state"
build=$state/build-bench

bench_make() (
	{ [ -x "$top/configure" ] && [ "$top/configure" -nt "$top/configure.ac" ]; } ||
	    "$top/autogen.sh" || return 1
	mkdir -p "$build" && cd "$build" || return 1
	[ -e Makefile ] || "$top/configure" -q CFLAGS="-O2 -g" || return 1
	make -s -j"$(nproc)" all
)

# Options for contrib/deps, if more than what is built and run is needed.
bench_build() {
	log=$state/logs/bench-build.log
	mkdir -p "$state/logs"
	"$top/contrib/deps" --build --run "$@" >"$log" 2>&1 ||
	    fail_log "what the benchmark needs could not be installed"
	bench_make >"$log" 2>&1 || fail_log "the build failed"
}
