/* SPDX-License-Identifier: MIT */
/*
 * percent: RFC 3986 percent-encoding undone. Pure but for the arena.
 */
#ifndef HTTP_PERCENT_H
#define HTTP_PERCENT_H

#include <stdbool.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/slice.h"

/* "%XX" undone, and '+' where a form wrote it for a blank (queries; never paths). p NULL when there
 * is what is no escape, or an escaped NUL. */
struct slice	percent_decode(struct slice raw, bool plus_is_blank, struct arena *);

#endif
