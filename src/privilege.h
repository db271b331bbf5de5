/* SPDX-License-Identifier: MIT */
/*
 * privilege: tenantgate never serves as root. Main thread, before there is another, so that none
 * ever was root.
 */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

#include <stdbool.h>

/* Started as root: becomes `user` for good, real, effective and saved ids, without root's
 * supplementary groups. False, with a sentence on stderr, when user is "", unknown or root, or a
 * call fails: then the process must not go on. Started as anybody else: true, nothing is done. */
bool	privilege_drop(const char *user);

#endif
