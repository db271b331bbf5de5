/* SPDX-License-Identifier: MIT */
/*
 * fake_redis: a peer that replies to commands by a table: GET has a value, HANG is the last one
 * that is read, LEAVE closes the connection, RUBBISH gets bytes that are no reply. What scripts and
 * subscriptions get is the test's.
 */
#ifndef TENANTGATE_TESTS_FAKE_REDIS_H
#define TENANTGATE_TESTS_FAKE_REDIS_H

#include "fake_peer.h"

struct fake_redis {
	char			 received[1024];	/* the words of all commands, spaced */
	bool			 hung;
	struct peer_conn	*subscriber;	/* the last one */
	const char		*refusal;	/* of scripts, a whole reply; NULL: none */
	const char		*sub_refusal;	/* of SUBSCRIBE; the same */
	bool			 is_cluster;	/* a script with several keys is refused */
	const char		*entries;	/* the reply to the next XREAD; NULL: nil */
	unsigned		 reads;		/* XREADs */
};
extern struct fake_redis fake_redis;

void	fake_redis_serve(struct peer_conn *);	/* for peer_open() */

#endif
