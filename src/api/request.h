/* SPDX-License-Identifier: MIT */
/*
 * visit: what every story of a tenant begins with (who asks, whose database, how much) and ends
 * with (an answer, a log line). A story's struct has a struct visit as its first member.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <assert.h>
#include <stddef.h>

#include "tenantgate/api.h"
#include "tenantgate/base/id.h"

struct api_route;
struct api_route_match;

#define REQUEST_MAGIC	0x52455155u	/* "REQU" */

struct request {
	struct flow			 flow;		/* first */
	unsigned			 magic;
	const struct api_context	*ctx;		/* borrowed */
	struct http_exchange		*x;		/* borrowed until visit_end() */
	const struct api_route		*route;		/* static */
	struct http_path_params		 params;	/* of its path; slices live as long as x */
	char				 request_id[REQUEST_ID_MAX + 1];
	struct caller			 caller;
	char				 tenant_id[TENANT_ID_MAX + 1];	/* "" until known */
	struct tenant			 tenant;
	struct limit_rule		 rules[2];
	char				 rule_keys[2][LIMIT_KEY_MAX + 1];
	struct limit_verdict		 verdict;
	struct buf			 body;		/* owned */
	struct pool_lease		 lease;		/* returned by visit_end() at the latest */
	struct model_usage		 usage;
	bool				 streaming;	/* its header has left, its end not */
};

/* Steps 1 to 4 of a story: auth, tenant, limit, provision. */
enum flow_rc	request_caller(struct flow *);
enum flow_rc	request_tenant(struct flow *);
enum flow_rc	request_limit(struct flow *);
enum flow_rc	request_database(struct flow *);

/* Borrows a connection to the visit's tenant database into v->lease. */
enum flow_rc	request_borrow(struct flow *);

/*
 * Makes a story: `size` bytes (its struct, visit first) in an arena of its own, started on the
 * rooms' worker, with the body ceiling and the time-out of its route. The caller gets it zeroed
 * but for the visit, to add what it knows.
 */
#define REQUEST_ARENA_MAX	(4u << 20)
struct request	*request_start(struct http_exchange *, const struct api_context *,
		    const struct api_route_match *, size_t size, const struct flow_kind *);
/* Looks after the catalog's list of this tenant, behind the answer: of one document at once, or
 * ("") of what was left behind, if it has not been looked after for a while. */
void		request_reconcile(struct request *, const char *document_id);
/* The end of every story: a failure that has not been answered becomes problem+json, the access
 * log gets its line, the exchange goes back. */
void		request_end(struct request *, const struct err *);
/* flow_kind.release of every story. */
void		request_release(struct flow *);

static inline struct request *
request_of(struct flow *f)
{
	struct request *req = (struct request *)(void *)f;

	_Static_assert(offsetof(struct request, flow) == 0, "a flow comes first");
	assert(f->magic == FLOW_MAGIC && req->magic == REQUEST_MAGIC);
	return req;
}

#endif
