/* SPDX-License-Identifier: MIT */
/*
 * fake_redis: a peer that answers commands by a table: GET has a value, HANG ends all talk, LEAVE
 * hangs up, RUBBISH is answered in kind.
 */
#ifndef TENANTGATE_TESTS_FAKE_REDIS_H
#define TENANTGATE_TESTS_FAKE_REDIS_H

#include "fake_peer.h"

struct fake_redis {
	char			 heard[1024];	/* the words of all commands, spaced */
	bool			 hung;
	struct peer_conn	*subscriber;	/* the last one */
};
extern struct fake_redis fake_redis;

void	fake_redis_said(struct peer_conn *);	/* for peer_open() */

#endif
