/* SPDX-License-Identifier: MIT */
/*
 * alloc.c: malloc() and its kin, which end the process when there is no memory. The last line of
 * the log is made on the stack and written by one system call: no buffer is allocated for it.
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
	/* A buf whose memory is its ceiling never grows. One byte is kept for the NUL. */
	struct buf line = { .data = text, .cap = sizeof(text) - 1, .max = sizeof(text) - 1 };

	clock_iso(clock_wall_us(), now);
	buf_printf(&line,
	    "{\"time\":\"%s\",\"level\":\"critical\",\"event\":\"memory\",\"message\":"
	    "\"There is no memory for %zu bytes, and the process ends. Give it more, or lower"
	    " max_ingest_memory and max_client_conn.\"}",
	    now, wanted);
	log_line(&line);
	abort();
}

/* calloc() also fails when n * size overflows. */
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
