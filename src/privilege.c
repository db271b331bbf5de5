/* SPDX-License-Identifier: MIT */
/*
 * privilege: gives root up for good. The order matters: groups first, for without root they cannot
 * be changed any more; the user last; then the proof that there is no way back.
 */
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
privilege_drop(const char *user)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return true;
	if (*user == '\0') {
		fprintf(stderr,
		    "tenantgate: Serving as root is refused; set `user = NAME` in the "
		    "configuration, or start it as another user.\n");
		return false;
	}
	pw = getpwnam(user);
	if (pw == NULL || pw->pw_uid == 0) {
		fprintf(stderr, "tenantgate: user = %s: %s\n", user,
		    pw == NULL ? "There is no such user; create it or name another."
			       : "That is root; name another user.");
		return false;
	}
	if (setgroups(0, NULL) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0 ||
	    setuid(0) == 0) {
		fprintf(stderr, "tenantgate: user = %s: Root could not be given up: %s.\n", user,
		    strerror(errno));
		return false;
	}
	return true;
}
