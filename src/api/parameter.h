/* SPDX-License-Identifier: MIT */
/*
 * parameter: what follows a ';' in a field such as Content-Type (RFC 9110, 5.6.6), found as a range
 * of the field and read where it lies: what it means is never longer than how it is written. Pure.
 */
#ifndef API_PARAMETER_H
#define API_PARAMETER_H

#include <stdbool.h>

#include "tenantgate/base/slice.h"

/* The value of name=value or name="value", as it is written, without its quotes; p NULL when there
 * is none, or its quote is not closed. */
struct slice	header_parameter(struct slice field, const char *name);
/* Whether there are two of that name, of which another reader may take the other. */
bool		header_parameter_repeats(struct slice field, const char *name);
/* What a found value means: \" and \\ of a quoted one become " and \. It is rewritten where it
 * lies, which is in the memory that `text` is the beginning of. p NULL stays so. */
struct slice	header_parameter_unquote(char *text, struct slice value);
/* The same of a value in the extended notation (RFC 8187, 3.2), UTF-8'language'percent-encoded.
 * False when it is not that; whether it is good UTF-8 is for the caller to see. */
bool		header_parameter_decode(char *text, struct slice value, struct slice *out);

#endif
