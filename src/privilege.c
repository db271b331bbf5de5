/* SPDX-License-Identifier: MIT */
/*
 * privilege: see the header.
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
		fprintf(stderr, "tenantgate: refuses to run as root; set `user = NAME`\n");
		return false;
	}
	pw = getpwnam(user);
	if (pw == NULL || pw->pw_uid == 0) {
		fprintf(stderr, "tenantgate: user = %s: %s\n", user,
		    pw == NULL ? "no such user" : "is root");
		return false;
	}
	if (setgroups(0, NULL) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0 ||
	    setuid(0) == 0) {
		fprintf(stderr, "tenantgate: user = %s: %s\n", user, strerror(errno));
		return false;
	}
	return true;
}
