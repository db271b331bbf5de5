/* SPDX-License-Identifier: MIT */
/*
 * percent: percent-decoding (RFC 3986 2.1). Pure but for the arena, which owns the result.
 */
#ifndef HTTP_PERCENT_H
#define HTTP_PERCENT_H

#include <stdbool.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/slice.h"

/* plus_is_blank: '+' is a blank, as forms write it in queries (never in paths). p is NULL when a
 * '%' is not followed by two hex digits, for an escaped NUL, and without memory. */
struct slice	percent_decode(struct slice raw, bool plus_is_blank, struct arena *);

#endif
