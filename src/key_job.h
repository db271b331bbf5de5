/* SPDX-License-Identifier: MIT */
/*
 * key_job: what `tenantgate key` does: one flow on one worker, whose loop the main thread turns.
 * The catalog's schema is brought up to date first, so that the first key can be made before the
 * daemon's first start.
 */
#ifndef KEY_JOB_H
#define KEY_JOB_H

#include "conf.h"
#include "tenantgate/auth/key_catalog.h"
#include "tenantgate/replica/drop_channel.h"

enum key_verb { KEY_CREATE, KEY_LIST, KEY_REVOKE };

struct key_job {
	struct flow		flow;		/* first */
	enum key_verb		verb;
	/* Set before key_job_run(); all borrowed. */
	struct key_order	order;		/* KEY_CREATE */
	struct key_page		page;		/* KEY_LIST: a page; all are read */
	const char		*id;		/* KEY_REVOKE */
	/* For each key that is listed, or was revoked. */
	void			(*tell)(const struct listed_key *, void *arg);
	void			*arg;
	/* The outcome. */
	struct key_made		made;		/* its text is to be wiped */
	bool			is_told;	/* the replicas hear of the revocation, by Redis */
	struct err		err;
	/* private */
	struct catalog		*catalog;	/* borrowed */
	struct redis		*redis;		/* borrowed; NULL: none, or of no use here */
	const char		*environment;	/* borrowed */
	struct pg_result	result;
	struct redis_reply	reply;
	struct drop_channel	drops;
	struct timer		timer;
	uint64_t		redis_until_us;	/* monotonic: Redis is waited for no longer */
	char			after[2][40];	/* the page's last row */
	bool			done;
};

/* Main thread, without another. False with job->err set. */
bool	key_job_run(struct key_job *, const struct conf *);

#endif
