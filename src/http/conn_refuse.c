/* SPDX-License-Identifier: MIT */
/*
 * conn_refuse: the answer to what never becomes a request: malformed, too large, too late, or on
 * one connection too many. The handler does not see it, and the connection ends. After a malformed
 * message nobody can tell where the next one begins: to go on would let its sender hide a request
 * in it (RFC 9112 11.2).
 */
#include "http/conn.h"

#include "tenantgate/base/id.h"
#include "tenantgate/base/random.h"

void
conn_refuse(struct conn *c, const struct err *why)
{
	char id[REQUEST_ID_LEN + 1];

	/* No request came that could have brought an id of its own: this one gets ours. */
	id_random(id, REQUEST_ID_LEN);
	response_open(c);
	c->x.close = true;
	http_set(&c->x, "X-Request-Id", id);
	problem_reply(&c->x, why, id, "\n");
	c->x.response = RESPONSE_NO_EXCHANGE;
	c->server->exchanges--;
	if (c->server->refused != NULL)
		c->server->refused(why, id, c->remote, c->server->arg);
	if (c->state == CONN_GONE)
		conn_call(c);
	else
		conn_finish(c, END_LINGER);
}
