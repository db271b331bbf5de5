#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A private Postgres in the foreground: makes the cluster in DIR when there is none, then becomes
# the server, on 127.0.0.1:PORT (0: only makes it). The superuser is `postgres`, its password
# $TG_PG_PASSWORD.
#
#	TG_PG_PASSWORD=... contrib/devstack/postgres.sh DIR PORT [setting=value ...]
#
# Postgres refuses to be root, and the user it becomes then may not be able to walk the path to
# DIR (a clone under /root). So DIR is opened first, and named by its descriptor.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/contrib/devstack/common.sh"

dir=$1
port=$2
shift 2
data=/proc/self/fd/9
bin=$(postgres_bin)
[ -n "$bin" ] || fail "There is no PostgreSQL >= 14; run contrib/deps --run."

# The command as the user that owns the cluster.
as_owner() {
	if [ -z "$owner" ]; then
		"$@"
	else
		setpriv --reuid="$owner" --regid="$group" --clear-groups -- "$@"
	fi
}

make_cluster() {
	find -H $data -mindepth 1 -delete
	as_owner "$bin/initdb" -D $data -A trust -U postgres -E UTF8 --locale=C.UTF-8 \
	    --no-sync >"$log" 2>&1 || fail_log "initdb failed; see above."
	printf "alter role postgres password '%s'\n" "$TG_PG_PASSWORD" |
	    as_owner "$bin/postgres" --single -D $data postgres >"$log" 2>&1 ||
	    fail_log "The superuser's password could not be set; see above."
	echo "host all all 127.0.0.1/32 scram-sha-256" >$data/pg_hba.conf
	touch $data/tenantgate-cluster
}

owner=
group=
if [ "$(id -u)" -eq 0 ]; then
	owner=postgres
	id -u "$owner" >/dev/null 2>&1 || owner=nobody
	group=$(id -g -n "$owner")
fi
mkdir -p "$dir"
[ -z "$owner" ] || chown "$owner:$group" "$dir"
chmod 700 "$dir"
exec 9<"$dir"
cd /
# The last file written: without it an earlier run was cut short, and the cluster is made anew.
if [ ! -e $data/tenantgate-cluster ]; then
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	make_cluster
	rm -f "$log"
fi
[ "$port" -ne 0 ] || exit 0
settings=
for setting in "$@"; do
	settings="$settings -c $setting"
done
# shellcheck disable=SC2086
[ -z "$owner" ] || exec setpriv --reuid="$owner" --regid="$group" --clear-groups -- \
    "$bin/postgres" -D $data -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c max_connections=200 -c log_min_messages=warning $settings
# shellcheck disable=SC2086
exec "$bin/postgres" -D $data -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c max_connections=200 -c log_min_messages=warning $settings
