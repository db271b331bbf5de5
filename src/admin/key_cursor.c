/* SPDX-License-Identifier: MIT */
/*
 * key_cursor.c: see the header.
 */
#include "admin/key_cursor.h"

#include "tenantgate/base/b64.h"

#define TIME_LEN  (sizeof("2026-11-28T03:04:05.123456Z") - 1)
#define PLAIN_LEN (TIME_LEN + 1 + KEY_ID_LEN)

void
key_cursor_put(struct buf *b, const struct listed_key *k)
{
	struct buf plain;

	buf_init(&plain, PLAIN_LEN);
	buf_printf(&plain, "%s %s", k->created_exactly, k->id);
	b64url_put(b, buf_view(&plain));
	buf_free(&plain);
}

/* The time is one of ours to the letter: Postgres is not asked to make sense of another. */
static bool
plain_read(struct slice plain, struct arena *a, struct key_page *page)
{
	struct slice at, id;

	if (plain.len != PLAIN_LEN || plain.p[TIME_LEN] != ' ')
		return false;
	at = slice_of(plain.p, TIME_LEN);
	id = slice_of(plain.p + TIME_LEN + 1, KEY_ID_LEN);
	if (clock_iso_read(at) == 0 || at.p[TIME_LEN - 1] != 'Z' || !key_id_valid(id))
		return false;
	page->after_created = arena_slice(a, at);
	page->after_id = arena_slice(a, id);
	return page->after_created != NULL && page->after_id != NULL;
}

bool
key_cursor_read(struct slice text, struct arena *a, struct key_page *page)
{
	struct buf plain;
	bool ok;

	buf_init(&plain, PLAIN_LEN);
	ok = b64url_get(&plain, text) && plain_read(buf_view(&plain), a, page);
	buf_free(&plain);
	return ok;
}
