/* SPDX-License-Identifier: MIT */
/*
 * conn_refuse: the answer to what never becomes a request: malformed, too large, too late, or on
 * one connection too many. The handler does not see it, and the connection ends. After a malformed
 * message nobody can tell where the next one begins: to go on would let its sender hide a request
 * in it (RFC 9112 11.2).
 */
#include "http/conn.h"

#include "tenantgate/base/id.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/seal.h"

/* No request came that could have brought an id of its own: this one gets ours. */
static void
refusal_reply(struct conn *c, const struct err *why, const char *id)
{
	int status = err_status(why->code);
	struct buf body;

	buf_init(&body, 2048);
	buf_printf(&body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":",
	    err_title(why->code), status);
	json_put_string(&body, slice_str(why->detail));
	buf_printf(&body, ",\"code\":\"%s\",\"request_id\":\"%s\"}\n", err_slug(why->code), id);
	http_set(&c->x, "X-Request-Id", id);
	if (status == 503)
		http_set(&c->x, "Retry-After", "1");
	http_reply(&c->x, status, "application/problem+json", buf_view(&body));
	buf_free(&body);
}

void
conn_refuse(struct conn *c, const struct err *why)
{
	char id[REQUEST_ID_LEN + 1];

	id_random(id, REQUEST_ID_LEN);
	answer_open(c);
	c->x.close = true;
	refusal_reply(c, why, id);
	c->x.answer = ANSWER_NOBODY;
	c->server->exchanges--;
	if (c->server->refused != NULL)
		c->server->refused(why, id, c->remote, c->server->arg);
	if (c->state == CONN_GONE)
		conn_call(c);
	else
		conn_finish(c, END_LINGER);
}
