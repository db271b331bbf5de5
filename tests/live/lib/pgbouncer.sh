#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A PgBouncer in the foreground, for a test: tests/live/lib/pgbouncer.sh INI USERS, where INI says
# `auth_file = /proc/self/fd/8`. It refuses to be root, and the user it becomes then may not be able
# to walk the paths: so both files are opened first, and named by their descriptors.
set -eu

PATH=$PATH:/usr/sbin
command -v pgbouncer >/dev/null || { echo "There is no pgbouncer; run contrib/deps --test."; exit 1; }
exec 9<"$1" 8<"$2"
cd /
[ "$(id -u)" -eq 0 ] || exec pgbouncer /proc/self/fd/9
owner=postgres
id -u "$owner" >/dev/null 2>&1 || owner=nobody
exec setpriv --reuid="$owner" --regid="$(id -g -n "$owner")" --clear-groups -- \
    pgbouncer /proc/self/fd/9
