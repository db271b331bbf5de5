/* SPDX-License-Identifier: MIT */
/*
 * fake_redis: a peer that replies to commands by a table: GET has a value, HANG is the last one
 * that is read, LEAVE closes the connection, RUBBISH gets bytes that are no reply.
 */
#ifndef TENANTGATE_TESTS_FAKE_REDIS_H
#define TENANTGATE_TESTS_FAKE_REDIS_H

#include "fake_peer.h"

struct fake_redis {
	char			 received[1024];	/* the words of all commands, spaced */
	bool			 hung;
	struct peer_conn	*subscriber;	/* the last one */
};
extern struct fake_redis fake_redis;

void	fake_redis_serve(struct peer_conn *);	/* for peer_open() */

#endif
