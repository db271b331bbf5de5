/* SPDX-License-Identifier: MIT */
/* condition.c: the one way a condition becomes ill, with a reason that can be shown. */
#include "tenantgate/base/condition.h"

#include <stdarg.h>
#include <stdio.h>

#include "tenantgate/base/err.h"

void
condition_ill(struct condition *c, const char *fmt, ...)
{
	char text[2 * sizeof(c->reason)];
	va_list ap;

	if (c->is_ill)
		return;
	c->is_ill = true;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	err_text_copy(c->reason, sizeof(c->reason), text);
}
