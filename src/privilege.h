/* SPDX-License-Identifier: MIT */
/*
 * privilege: tenantgate never serves as root. Main thread, before any other thread.
 */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

#include <stdbool.h>

/* Started as root: becomes `user` for good; false (a sentence on stderr) when user is "" or
 * unknown, or the step fails. Otherwise nothing. */
bool	privilege_drop(const char *user);

#endif
