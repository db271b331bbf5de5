/* SPDX-License-Identifier: MIT */
/*
 * b64: base64 of RFC 4648 in both alphabets: base64url without padding, base64 with it. Reading is
 * strict: no white space, no foreign character, no stray bits in the last one, so that each value
 * has one spelling only. Any thread.
 */
#ifndef TENANTGATE_BASE_B64_H
#define TENANTGATE_BASE_B64_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

/* Appends the text; false at the buf's ceiling. */
bool	b64url_put(struct buf *, struct slice bytes);
bool	b64_put(struct buf *, struct slice bytes);
/* Appends the bytes; false (and nothing appended) when malformed, or at the buf's ceiling. */
bool	b64url_get(struct buf *, struct slice text);	/* no padding allowed */
bool	b64_get(struct buf *, struct slice text);	/* + and /, padding required */
/* Exactly `bytes` bytes of another program's base64 (+ and /): padded or not, stray bits in the
 * last character pass. False when it is anything else; then nothing in `out` may be used. The bytes
 * may be written over the text, from its beginning. */
bool	b64_get_exact(struct slice text, void *out, size_t bytes);

#endif
