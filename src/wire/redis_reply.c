/* SPDX-License-Identifier: MIT */
/* redis_reply: a reply of hiredis's as its callers see it; its texts stay inside of it. */
#include <string.h>

#include "wire/redis_internal.h"

void
redis_reply_fill(struct redis_reply *out, redisReply *reply)
{
	out->owned = reply;
	out->status = REDIS_OK;
	switch (reply->type) {
	case REDIS_REPLY_NIL:
		out->status = REDIS_NIL;
		break;
	case REDIS_REPLY_ERROR:
		out->status = REDIS_ERROR;
		out->text = slice_of(reply->str, reply->len);
		break;
	case REDIS_REPLY_INTEGER:
		out->number = reply->integer;
		break;
	case REDIS_REPLY_ARRAY:
		break;
	default:
		out->text = slice_of(reply->str, reply->len);
		break;
	}
}

static const redisReply *
element_at(const struct redis_reply *a, unsigned i)
{
	const redisReply *reply = a->owned;

	if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || i >= reply->elements)
		return NULL;
	return reply->element[i];
}

bool
redis_int_at(const struct redis_reply *a, unsigned i, int64_t *out)
{
	const redisReply *e = element_at(a, i);

	if (e == NULL || e->type != REDIS_REPLY_INTEGER)
		return false;
	*out = e->integer;
	return true;
}

bool
redis_text_at(const struct redis_reply *a, unsigned i, struct slice *out)
{
	const redisReply *e = element_at(a, i);

	if (e == NULL || (e->type != REDIS_REPLY_STRING && e->type != REDIS_REPLY_STATUS))
		return false;
	*out = slice_of(e->str, e->len);
	return true;
}

void
redis_clear(struct redis_reply *a)
{
	if (a->owned != NULL)
		freeReplyObject(a->owned);
	memset(a, 0, sizeof(*a));
}
