/* SPDX-License-Identifier: MIT */
/*
 * complain: what failed, and errno's text, on stderr: the daemon reads it and logs its first line.
 */
#include "extract/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void
complain(const char *what)
{
	fprintf(stderr, "tenantgate-extract: %s: %s\n", what, strerror(errno));
}
