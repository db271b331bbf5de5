# SPDX-License-Identifier: MIT
#
# Read by the scripts of contrib/ and tests/ (. contrib/devstack/common.sh): functions they share.
# Expects $top, the source tree; sets $state, the one folder where everything that runs is kept.

state=${TENANTGATE_STATE:-$top/.state}

# One line of progress.
say() {
	printf '%s: %s\n' "${0##*/}" "$*"
}

# The reason, a sentence, and the end.
fail() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# The same after the last lines of $log, where the tool that failed wrote why.
fail_log() {
	tail -n 25 "$log" >&2
	fail "$@"
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# True when as_root would work (or may ask at the terminal).
may_be_root() {
	[ "$(id -u)" -eq 0 ] && return 0
	have sudo || return 1
	sudo -n true 2>/dev/null || [ -t 0 ]
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

# The newest server's folder of programs (Debian keeps them out of PATH); nothing when there is
# none, or none >= 14.
postgres_bin() {
	for dir in /usr/lib/postgresql/*/bin; do
		[ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] || continue
		version=${dir#/usr/lib/postgresql/}
		version=${version%%/*}
		[ "$version" -ge 14 ] 2>/dev/null && echo "$version $dir"
	done | sort -n | tail -n 1 | cut -d ' ' -f 2
}

# Everything is built in folders of $state, which does not work beside a build in the source tree.
source_is_clean() {
	[ ! -e "$top/config.status" ] ||
	    fail "The source folder itself holds a build; run \`make distclean\` in $top first."
}

# Goes to the build folder $1, and sets $source to the tree as configure is to name it. Autotools
# refuse a path with a space: such a tree is reached by its descriptor (which configure itself
# leaves alone from 8 on).
enter_build() {
	mkdir -p "$1"
	source=$top
	cd "$1"
	case $PWD in
	*[!A-Za-z0-9_./+,:=@%~-]*)
		exec 9<"$top"
		source=/proc/self/fd/9
		cd "$source${1#"$top"}"
		;;
	esac
}
