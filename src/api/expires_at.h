/* SPDX-License-Identifier: MIT */
/*
 * expires_at: when a document goes by itself, as a client says it: RFC 3339, 5.6, with its zone.
 * Pure but for the clock.
 */
#ifndef API_EXPIRES_AT_H
#define API_EXPIRES_AT_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

#define EXPIRES_AT_DETAIL "The expiresAt must be a time to come in RFC 3339 with its zone, as " \
	"2030-01-31T12:00:00Z."

/* As createdAt is written, in the arena; NULL with err set: ERR_INVALID_FIELD, also when it is not
 * in the future, ERR_OVERLOADED. */
const char	*expires_at_read(struct slice text, struct arena *, struct err *);

#endif
