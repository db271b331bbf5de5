/* SPDX-License-Identifier: MIT */
/*
 * expires_at: see the header.
 */
#include "api/expires_at.h"

#include "tenantgate/base/clock.h"

const char *
expires_at_read(struct slice text, struct arena *arena, struct err *err)
{
	uint64_t us = clock_iso_read(text), last_us = 253402300799ull * 1000000; /* of 9999 */
	char *copy;

	if (us <= clock_wall_us() || us > last_us) {
		err_set(err, ERR_INVALID_FIELD, EXPIRES_AT_DETAIL);
		return NULL;
	}
	copy = arena_alloc(arena, CLOCK_ISO_SIZE);
	if (copy == NULL)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the body's fields");
	else
		clock_iso(us, copy);
	return copy;
}
