#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Gives the newest installed PostgreSQL the extension pgvector, 0.8 or later. Called by
# contrib/deps.
#
# postgresql-N-pgvector is taken where apt has one that is new enough. Debian 12 has none: then
# Debian's own source package of a newer suite is fetched with a temporary source list made from
# this machine's own mirror (apt checks its signature; /etc/apt and apt's own lists are not
# touched), compiled here, and its files are put beside the server's other extensions.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
export DEBIAN_FRONTEND=noninteractive
. "$top/contrib/devstack/common.sh"

least=0.8.0	# what the program needs
good=0.8.4	# older ones have known defects in building indexes in parallel
suites="sid trixie"	# the first that offers enough is taken

bin=$(postgres_bin)
[ -n "$bin" ] || fail "There is no PostgreSQL >= 14 under /usr/lib/postgresql; run contrib/deps --run."
major=${bin%/bin}
major=${major##*/}
control=$("$bin/pg_config" --sharedir)/extension/vector.control

installed_version() {
	[ ! -r "$control" ] || sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$control"
}

at_least() {
	case $1 in [0-9]*) dpkg --compare-versions "$1" ge "$2" ;; *) return 1 ;; esac
}

try_binary_package() {
	package=postgresql-$major-pgvector
	version=$(apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: *//p')
	at_least "${version%%-*}" "$least" || return 1
	may_be_root || fail "An administrator should run:  apt-get install -y $package"
	say "installing $package $version"
	as_root apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
	    "$package" >"$log" 2>&1 || fail_log "apt-get install $package failed; see above."
}

# The archive this machine's own packages come from: "URI keyring" of the first entry that offers
# Debian's main component of a plain suite.
own_mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk '
		$1 == "deb" {
			key = ""; n = 2
			if ($2 ~ /^\[/) {
				for (; n <= NF; n++) {
					if (match($n, /signed-by=[^] ]+/))
						key = substr($n, RSTART + 10, RLENGTH - 10)
					if ($n ~ /\]$/) break
				}
				n++
			}
			suite = $(n + 1)
			if ($(n + 2) == "main" && suite !~ /security|updates|\//)
				print $n, key
		}'
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -r "$file" ] || continue
		awk '
			function flush() {
				if (types ~ /deb/ && suites ~ / [a-z]+( |$)/ && parts ~ / main/)
					print uri, key
				types = uri = suites = parts = key = ""
			}
			/^#/ { next }
			/^[ \t]*$/ { flush(); next }
			tolower($1) == "types:" { types = $0 }
			tolower($1) == "uris:" { uri = $2 }
			tolower($1) == "suites:" {
				$1 = ""
				suites = $0 ~ /security/ ? "" : $0
			}
			tolower($1) == "components:" { $1 = ""; parts = $0 }
			tolower($1) == "signed-by:" { key = $2 }
			END { flush() }' "$file"
	done
}

# apt-get with lists, sources and cache of its own, in $work.
private_apt() {
	apt-get -q -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- \
	    -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" \
	    -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::PDiffs=false \
	    -o APT::Get::List-Cleanup=false "$@"
}

# Fetches and unpacks the source of pgvector as suite $1 of mirror $2 has it; sets $offered.
fetch_source() {
	rm -rf "$work/lists" "$work/cache" "$work/src"
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/src"
	keyring=${3:-/usr/share/keyrings/debian-archive-keyring.gpg}
	[ -r "$keyring" ] && option="[signed-by=$keyring] " || option=
	echo "deb-src $option$2 $1 main" >"$work/sources.list"
	private_apt update >"$log" 2>&1 || return 1
	(cd "$work/src" && private_apt source pgvector) >>"$log" 2>&1 || return 1
	offered=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$work"/src/pgvector-*/vector.control)
	at_least "$offered" "$least"
}

fetch_any_source() {
	mirrors=$(own_mirror | sort -u)
	[ -n "$mirrors" ] || fail "/etc/apt names no Debian mirror; install pgvector >= $least by hand."
	for suite in $suites; do
		while read -r uri keyring; do
			case $keyring in /*) ;; *) keyring= ;; esac
			fetch_source "$suite" "$uri" "$keyring" && return 0
		done <<-END
		$mirrors
		END
	done
	return 1
}

# The server's headers come in a package that would bring a whole LLVM along, which is of no use
# here: where it is not installed it is only unpacked. Sets $headers.
find_headers() {
	headers=$("$bin/pg_config" --includedir-server)
	[ ! -r "$headers/postgres.h" ] || return 0
	(cd "$work" && apt-get -q download "postgresql-server-dev-$major") >"$log" 2>&1 ||
	    fail_log "postgresql-server-dev-$major could not be downloaded; see above."
	dpkg-deb -x "$work/postgresql-server-dev-$major"_*.deb "$work/dev"
	headers=$work/dev$headers
}

# OPTFLAGS= : for any machine of this kind, not only for this very processor.
compile() {
	make -s -C "$1" OPTFLAGS= with_llvm=no PG_CONFIG="$bin/pg_config" \
	    CPPFLAGS="-I$headers" >"$log" 2>&1 ||
	    fail_log "pgvector does not compile; see above."
}

install_files() {
	lib=$("$bin/pg_config" --pkglibdir)
	ext=$("$bin/pg_config" --sharedir)/extension
	as_root install -m 644 "$1/vector.so" "$lib/" &&
	as_root install -m 644 "$1"/sql/vector--*.sql "$ext/" &&
	as_root install -m 644 "$1/vector.control" "$ext/"
}

at_least "$(installed_version)" "$least" && exit 0
log=$(mktemp)
work=$(mktemp -d)
trap 'rm -rf "$log" "$work"' EXIT
if ! try_binary_package; then
	may_be_root || fail "pgvector >= $least is missing for PostgreSQL $major and this user" \
	    "may not install it. An administrator should run:  $top/contrib/deps --build --run"
	have gcc && have make && have dpkg-source || {
		say "installing gcc make dpkg-dev (to compile pgvector)"
		as_root apt-get install -q -y --no-install-recommends \
		    -o DPkg::Lock::Timeout=300 gcc libc6-dev make dpkg-dev >"$log" 2>&1 ||
		    fail_log "apt-get install failed; see above."
	}
	say "fetching Debian's source of pgvector (this Debian has no package of it)"
	fetch_any_source || fail_log "This machine's mirror has no source of pgvector >= $least; install it by hand."
	find_headers
	say "compiling pgvector $offered for PostgreSQL $major"
	compile "$work"/src/pgvector-*
	install_files "$work"/src/pgvector-*
fi
version=$(installed_version)
at_least "$version" "$least" ||
    fail "pgvector is ${version:-absent} after the installation; >= $least is needed."
note=
at_least "$version" "$good" || note=" ($good or later is better; this mirror offers none)"
say "pgvector $version is installed for PostgreSQL $major$note"
