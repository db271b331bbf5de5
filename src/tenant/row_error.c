/* SPDX-License-Identifier: MIT */
/*
 * row_error: how a failure stands in a row's column last_error: what tenants may hear, a new line,
 * and what only operators may. Pure.
 */
#include <stdio.h>

#include "tenant/row.h"

void
row_error_write(char *out, size_t size, const struct err *why)
{
	snprintf(out, size, "%s\n%s", why->detail, why->cause);
}

void
row_error_read(const char *last_error, enum err_code code, const char *otherwise, struct err *out)
{
	size_t first = strcspn(last_error, "\n");
	bool is_whole = first > 0 && last_error[first] == '\n';
	const char *cause = is_whole ? last_error + first + 1 : last_error;

	if (is_whole)
		err_set(out, code, "%.*s", (int)first, last_error);
	err_set(out, code, "%s", otherwise);
	if (cause[0] != '\0')
		err_cause(out, "%s", cause);
}
