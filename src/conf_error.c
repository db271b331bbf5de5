/* SPDX-License-Identifier: MIT */
/*
 * conf_error: one error of a configuration as one line. What of the file's text is in it may hold
 * escape sequences or line ends: control characters (C0 and DEL) become '?', so that a file cannot
 * drive the administrator's terminal, or look like two errors.
 */
#include "conf_internal.h"

#include <stdarg.h>

void
conf_error(struct conf_reading *r, const struct conf_place *at, const char *fmt, ...)
{
	char sentence[1024];
	va_list ap;

	if (r->error_count >= CONF_ERRORS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	for (char *p = sentence; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (at->line == 0)
		buf_printf(r->errors, "%s: %s\n", at->file, sentence);
	else
		buf_printf(r->errors, "%s:%u: %s\n", at->file, at->line, sentence);
	if (++r->error_count == CONF_ERRORS_MAX)
		buf_printf(r->errors,
		    "%s: There are more errors than these %u; correct them, and try again.\n",
		    at->file, CONF_ERRORS_MAX);
}
