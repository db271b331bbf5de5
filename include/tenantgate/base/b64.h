/* SPDX-License-Identifier: MIT */
/*
 * b64: RFC 4648 base64, both alphabets. Writing: base64url without padding. Reading is strict: no
 * spaces, no foreign letter, no stray bits in the last letter, one spelling for each value.
 * Any thread.
 */
#ifndef TENANTGATE_BASE_B64_H
#define TENANTGATE_BASE_B64_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

/* Appends the text; false at the buf's ceiling. */
bool	b64url_put(struct buf *, struct slice bytes);
/* Appends the bytes; false (and nothing appended) when malformed, or at the buf's ceiling. */
bool	b64url_get(struct buf *, struct slice text);	/* no padding allowed */
bool	b64_get(struct buf *, struct slice text);	/* + and /, padding required */

#endif
