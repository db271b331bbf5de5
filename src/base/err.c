/* SPDX-License-Identifier: MIT */
/*
 * err.c: the table of error codes, and the one way an error is filled: err_vset(), which keeps the
 * first reason and makes every detail fit to be shown.
 */
#include "tenantgate/base/err.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tenantgate/base/utf8.h"

struct err_row {
	int status;
	const char *slug;
	const char *title;
};

/* Indexed by code, from the table in err.h. */
#define ERR_ROW(code, status, slug, title) [code] = { status, slug, title },
static const struct err_row err_rows[ERR_CODES] = { ERR_TABLE(ERR_ROW) };
#undef ERR_ROW

static const struct err_row *
err_row(enum err_code code)
{
	assert((unsigned)code < ERR_CODES);
	return &err_rows[code];
}

int
err_status(enum err_code code)
{
	return err_row(code)->status;
}

const char *
err_slug(enum err_code code)
{
	return err_row(code)->slug;
}

const char *
err_title(enum err_code code)
{
	return err_row(code)->title;
}

/* A text may quote what a client or a server has sent: a terminal would obey its controls. */
void
err_text_copy(char *out, size_t size, const char *text)
{
	size_t left = strlen(text), used = 0;

	while (left > 0) {
		uint32_t point;
		size_t n = utf8_next(text, left, &point);
		bool shown = point != UTF8_BAD && point >= 0x20 && !(point >= 0x7f && point < 0xa0);
		size_t width = shown ? n : 1;

		if (used + width >= size)
			break;
		memcpy(out + used, shown ? text : "?", width);
		used += width;
		text += n;
		left -= n;
	}
	out[used] = '\0';
}

void
err_vset(struct err *e, enum err_code code, const char *fmt, va_list ap)
{
	/* Longer than a detail, so that it is err_text_copy() that cuts, between characters. */
	char text[2 * sizeof(e->detail)];

	assert(code != ERR_NONE && (unsigned)code < ERR_CODES);
	if (err_is(e))
		return;
	e->code = code;
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	err_text_copy(e->detail, sizeof(e->detail), text);
}

void
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, code, fmt, ap);
	va_end(ap);
}

void
err_cause(struct err *e, const char *fmt, ...)
{
	char text[2 * sizeof(e->cause)];
	va_list ap;

	if (!err_is(e) || e->cause[0] != '\0')
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	err_text_copy(e->cause, sizeof(e->cause), text);
}

void
err_tell(const struct err *e, char out[ERR_TOLD_SIZE])
{
	bool caused = e->cause[0] != '\0';

	snprintf(out, ERR_TOLD_SIZE, "%s%s%s%s", e->detail, caused ? " (" : "", e->cause,
	    caused ? ")" : "");
}

void
err_clear(struct err *e)
{
	memset(e, 0, sizeof(*e));
}
