/* SPDX-License-Identifier: MIT */
/*
 * warn_errno: what failed, and errno's text, on stderr, which the server reads: it logs the first
 * line as extract.failed.
 */
#include "extract/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void
warn_errno(const char *what)
{
	fprintf(stderr, "tenantgate-extract: %s: %s\n", what, strerror(errno));
}
