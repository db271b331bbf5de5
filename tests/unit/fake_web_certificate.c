/* SPDX-License-Identifier: MIT */
/*
 * fake_web_certificate: for tests of what a server sent, in which no connection ends.
 */
#include <stdlib.h>

#include "wire/web_internal.h"

bool
web_certificate_fail(struct web_transfer *t, CURLcode code)
{
	(void)t;
	(void)code;
	abort();
}
