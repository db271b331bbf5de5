/* SPDX-License-Identifier: MIT */
/*
 * chars: which bytes may stand where in an HTTP message (RFC 9110 5.6, RFC 3986 3.2), and the
 * small lists of tokens made of them. Pure; any thread.
 */
#ifndef HTTP_CHARS_H
#define HTTP_CHARS_H

#include <stdbool.h>

#include "tenantgate/base/slice.h"

bool	char_is_token(unsigned char);
bool	slice_is_token(struct slice);		/* one or more token characters */
bool	slice_is_field_value(struct slice);	/* no control characters but TAB */
bool	slice_is_target(struct slice);		/* visible ASCII without '#' */
bool	slice_is_authority(struct slice);	/* host[:port], IPv6 in brackets; not empty */
/* The next of a comma-separated list, trimmed; false at the end. */
bool	slice_list_next(struct slice *rest, struct slice *item);

#endif
