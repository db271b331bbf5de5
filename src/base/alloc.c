/* SPDX-License-Identifier: MIT */
/*
 * alloc.c: malloc() that dies. Its last line is written without memory of its own.
 */
#include "tenantgate/base/alloc.h"

#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

void
alloc_die(size_t wanted)
{
	char now[CLOCK_ISO_SIZE], text[512];
	/* A buf that has its room never asks for more. */
	struct buf line = { .data = text, .cap = sizeof(text) - 1, .max = sizeof(text) - 1 };

	clock_iso(clock_wall_us(), now);
	buf_printf(&line,
	    "{\"time\":\"%s\",\"level\":\"critical\",\"event\":\"memory\",\"message\":"
	    "\"There is no memory for %zu bytes, and the process ends. Give it more, or lower"
	    " max_ingests and max_client_conn.\"}",
	    now, wanted);
	log_line(&line);
	abort();
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);
	size_t wanted;

	if (p != NULL)
		return p;
	alloc_die(__builtin_mul_overflow(n, size, &wanted) ? SIZE_MAX : wanted);
}

void *
xmalloc(size_t size)
{
	void *p = malloc(size);

	if (p == NULL)
		alloc_die(size);
	return p;
}

char *
xstrdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(xmalloc(size), text, size);
}
