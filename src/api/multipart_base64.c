/* SPDX-License-Identifier: MIT */
/*
 * multipart_base64: a part that its sender has encoded. Line breaks and blanks are passed over;
 * other foreign characters are refused, by which something else could be meant to others.
 */
#include "api/multipart.h"

#include "tenantgate/base/b64.h"
#include "tenantgate/base/spool.h"

#define BLOCK_SIZE  8192 /* characters decoded at a time: whole groups of four */
#define READ_WINDOW ((size_t)256 << 10)

struct base64_block {
	char text[BLOCK_SIZE];
	size_t len;
	multipart_sink_fn *put;
	void *arg;
};

/* Four characters are three bytes; only at the end a group may be padded, and so shorter. */
static bool
block_decode(struct base64_block *b, bool is_last, struct err *err)
{
	size_t padding = 0, bytes;

	while (is_last && padding < 2 && b->len > padding && b->text[b->len - padding - 1] == '=')
		padding++;
	bytes = b->len / 4 * 3 - (b->len >= 4 ? padding : 0);
	if (b->len % 4 != 0 || !b64_get_exact(slice_of(b->text, b->len), b->text, bytes)) {
		err_set(err, ERR_BAD_REQUEST,
		    "A part is not the base64 that its Content-Transfer-Encoding says; encode it "
		    "anew, or send the bytes as they are.");
		return false;
	}
	b->len = 0;
	return b->put(b->arg, slice_of(b->text, bytes), err);
}

bool
multipart_base64(struct slice text, bool is_mapped, multipart_sink_fn *put, void *arg,
    struct err *err)
{
	struct base64_block b = { .len = 0, .put = put, .arg = arg };

	for (size_t i = 0; i < text.len; i++) {
		if (is_mapped && i % READ_WINDOW == 0)
			spool_unload_behind(text, i, READ_WINDOW);
		if (memchr("\r\n \t", text.p[i], 4) != NULL)
			continue;
		if (b.len == BLOCK_SIZE && !block_decode(&b, false, err))
			return false;
		b.text[b.len++] = text.p[i];
	}
	return block_decode(&b, true, err);
}
