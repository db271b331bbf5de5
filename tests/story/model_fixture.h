/* SPDX-License-Identifier: MIT */
/*
 * model_fixture: what the tests of the model share: a worker with a model, and a server that gives
 * the n-th response of a script to the n-th request.
 */
#ifndef TENANTGATE_TESTS_MODEL_FIXTURE_H
#define TENANTGATE_TESTS_MODEL_FIXTURE_H

#include "../unit/fake_peer.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/model.h"

enum response_form {
	WHOLE,		/* with Content-Length */
	STREAM,		/* chunked, and its last chunk */
	STALL,		/* chunked, and then nothing */
	CUT,		/* chunked, and then the connection ends */
	SILENCE,	/* no response */
	LOST,		/* none, and the connection ends */
};

struct scripted_response {
	const char	*status;	/* "200 OK"; NULL ends the script: it begins anew */
	const char	*fields;	/* lines, each with \r\n; may be NULL */
	const char	*body;		/* borrowed */
	enum response_form	 form;
};

struct model_fixture {
	struct worker		*worker;
	struct web		*web;
	struct model		*model;
	struct model_shares	*shares;
	struct offload		*offload;	/* the test's, closed by the tear-down; or NULL */
	struct peer		 peer;
	char			 url[64];
	const struct scripted_response	*script;	/* borrowed */
	unsigned		 at;		/* in the script */
	unsigned		 requests;
	struct buf		 request;	/* the last one, whole */
	struct buf		 lines;		/* the request lines since the script began */
};
extern struct model_fixture model_fixture;

/* Three dimensions. Deadlines no busy machine misses, .. */
void	model_fixture_conf(struct model_conf *);
/* .. and short ones, for responses that are to be late. */
void	model_fixture_hurry(struct model_conf *);
int	model_fixture_set_up(void **state);
int	model_fixture_tear_down(void **state);
/* In place of the model of model_fixture_set_up(). */
void	model_fixture_reopen(const struct model_conf *);
void	model_fixture_script(const struct scripted_response *);
/* Turns the loop until no flow is left. */
void	model_fixture_turn_until_idle(void);

#endif
