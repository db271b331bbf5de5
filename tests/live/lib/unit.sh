#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What contrib/systemd/tenantgate.service says of files, in a mount namespace of its own:
#
#	unshare -m tests/live/lib/unit.sh USER FILES COMMAND...
#
# FILES is a folder, whose copy is /mnt there, owned by USER. ProtectSystem=strict,
# ProtectHome=yes, PrivateTmp, PrivateDevices, ProtectProc=invisible and ProtectKernelTunables;
# HOME stays root's.
set -eu

user=$1
files=$2
shift 2
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /mnt
cp -r "$files"/. /mnt/
chown -R "$user" /mnt
for dir in /home /root /run/user; do
	[ ! -d "$dir" ] || mount -t tmpfs -o mode=000 tmpfs "$dir"
done
for dir in /tmp /var/tmp; do
	mount -t tmpfs -o mode=1777 tmpfs "$dir"
done
mount -t tmpfs -o mode=0755 tmpfs /dev
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/zero c 1 5
mknod -m 666 /dev/full c 1 7
mknod -m 666 /dev/random c 1 8
mknod -m 666 /dev/urandom c 1 9
mount -t proc -o hidepid=invisible proc /proc
while read -r _ dir _; do
	case $dir in
	/proc*|/dev*|/tmp|/var/tmp) ;;
	*) [ ! -e "$dir" ] || mount -o remount,bind,ro "$dir" ;;	# others lie under a new one
	esac
done </proc/self/mounts
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
export HOME=/root
cd /
exec "$@"
