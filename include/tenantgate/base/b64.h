/* SPDX-License-Identifier: MIT */
/*
 * b64: RFC 4648 base64, both alphabets: base64url without padding, base64 with it. Reading is
 * strict: no spaces, no foreign letter, no stray bits in the last letter, one spelling for each
 * value. Any thread.
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
/* Exactly `bytes` bytes of another program's + and / base64: padded or not, stray bits in the last
 * letter pass. False when it is anything else; then nothing in `out` is to be used. */
bool	b64_get_exact(struct slice text, void *out, size_t bytes);

#endif
