/* SPDX-License-Identifier: MIT */
/*
 * model_bench: what the stories of the model share: a worker with a model, and a server that gives
 * the n-th answer of a script to the n-th request.
 */
#ifndef TENANTGATE_TESTS_MODEL_BENCH_H
#define TENANTGATE_TESTS_MODEL_BENCH_H

#include "fake_peer.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/model.h"

enum form {
	WHOLE,		/* with Content-Length */
	STREAM,		/* chunked, and its last chunk */
	STALL,		/* chunked, and then nothing */
	CUT,		/* chunked, and then the connection ends */
	SILENCE,	/* no answer */
};

struct response {
	const char	*status;	/* "200 OK"; NULL ends the script: it begins anew */
	const char	*fields;	/* lines, each with \r\n; may be NULL */
	const char	*body;		/* borrowed */
	enum form	 form;
};

struct model_bench {
	struct worker		*worker;
	struct web		*web;
	struct model		*model;
	struct peer		 peer;
	char			 url[64];
	const struct response	*script;	/* borrowed */
	unsigned		 at;		/* in the script */
	unsigned		 requests;
	struct buf		 request;	/* the last one, whole */
};
extern struct model_bench bench;

/* Three dimensions. Deadlines no busy machine misses, .. */
void	model_bench_conf(struct model_conf *);
/* .. and short ones, for answers that are to be late. */
void	model_bench_hurry(struct model_conf *);
int	model_bench_up(void **state);
int	model_bench_down(void **state);
/* In place of the model of model_bench_up(). */
void	model_bench_reopen(const struct model_conf *);
void	model_bench_script(const struct response *);
/* Turns the loop until no flow is left. */
void	model_bench_settle(void);

#endif
