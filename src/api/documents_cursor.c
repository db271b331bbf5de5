/* SPDX-License-Identifier: MIT */
/*
 * documents_cursor: see the header.
 */
#include "api/documents_cursor.h"

#include <ctype.h>

#include "tenantgate/base/b64.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/json.h"

#define DIGITS_MAX 16 /* of microseconds since 1970: until the year 2255 */
#define CURSOR_MAX (DIGITS_MAX + 1 + DOCUMENT_ID_MAX)

void
documents_cursor_put(struct buf *b, const struct listed_document *l)
{
	struct buf plain;

	buf_init(&plain, CURSOR_MAX + 8);
	buf_printf(&plain, "%s %s", l->created_us, l->document.id);
	b64url_put(b, buf_view(&plain));
	buf_free(&plain);
}

static bool
read_plain(struct slice plain, struct arena *a, struct documents_page *page)
{
	size_t digits = 0;
	struct slice id;

	while (digits < plain.len && isdigit((unsigned char)plain.p[digits]))
		digits++;
	if (digits == 0 || digits > DIGITS_MAX || digits + 1 >= plain.len || plain.p[digits] != ' ')
		return false;
	id = slice_of(plain.p + digits + 1, plain.len - digits - 1);
	if (id.len > DOCUMENT_ID_MAX || !json_utf8_valid(id))
		return false;
	page->after_us = arena_slice(a, slice_of(plain.p, digits));
	page->after_id = arena_slice(a, id);
	return page->after_us != NULL && page->after_id != NULL;
}

bool
documents_cursor_read(struct slice text, struct arena *a, struct documents_page *page)
{
	struct buf plain;
	bool ok;

	buf_init(&plain, CURSOR_MAX);
	ok = b64url_get(&plain, text) && read_plain(buf_view(&plain), a, page);
	buf_free(&plain);
	return ok;
}

bool
documents_limit_read(struct slice text, unsigned *out, struct err *err)
{
	unsigned n = 0;

	for (size_t i = 0; i < text.len && n <= DOCUMENTS_PAGE_MAX; i++) {
		if (text.p[i] < '0' || text.p[i] > '9') {
			n = 0;
			break;
		}
		n = n * 10 + (unsigned)(text.p[i] - '0');
	}
	if (n < 1 || n > DOCUMENTS_PAGE_MAX)
		err_set(err, ERR_INVALID_FIELD, "The limit must be a number from 1 to %d.",
		    DOCUMENTS_PAGE_MAX);
	*out = n;
	return !err_is(err);
}
