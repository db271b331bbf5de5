#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes DIR a hot standby of the server at CONNINFO, for contrib/devstack/postgres.sh to start:
# tests/live/lib/standby.sh DIR CONNINFO. Users and descriptors as there.
set -eu

top=$(cd "$(dirname "$0")/../../.." && pwd)
. "$top/contrib/devstack/common.sh"

mkdir -p "$1"
bin=$(postgres_bin)
as=
if [ "$(id -u)" -eq 0 ]; then
	owner=postgres
	id -u "$owner" >/dev/null 2>&1 || owner=nobody
	chown "$owner" "$1"
	as="setpriv --reuid=$owner --regid=$(id -g -n "$owner") --clear-groups --"
fi
chmod 700 "$1"
exec 9<"$1"
cd /
# shellcheck disable=SC2086
exec $as "$bin/pg_basebackup" -D /proc/self/fd/9 -d "$2" -R --checkpoint=fast --no-sync
