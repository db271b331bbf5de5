/* SPDX-License-Identifier: MIT */
/*
 * conn_refuse: the response to what never becomes a request: malformed, too large, too late, or on
 * one connection too many. The handler does not see it, and the connection ends. After a malformed
 * message nobody can tell where the next one begins: to go on would let its sender hide a request
 * in it (request smuggling, RFC 9112 11.2).
 */
#include "http/conn_state.h"

#include "tenantgate/base/id.h"
#include "tenantgate/base/random.h"

/* An exchange that is opened and ended here, so that the writing is the same as a handler's. It is
 * reported to the server's refused() after it was written, for the log. */
void
conn_refuse(struct conn *c, const struct err *why)
{
	char id[REQUEST_ID_LEN + 1];

	/* A client's X-Request-Id is not taken from a message that could not be read. */
	id_random(id, REQUEST_ID_LEN);
	response_open(c);
	c->x.close = true;
	http_set(&c->x, "X-Request-Id", id);
	problem_reply(&c->x, why, id, "\n");
	c->x.response = RESPONSE_NO_EXCHANGE;
	c->server->exchanges--;
	if (c->server->refused != NULL)
		c->server->refused(&c->x, id, why, c->server->arg);
	if (c->state == CONN_CLOSED)
		conn_schedule(c);
	else
		conn_finish(c, END_LINGER);
}
