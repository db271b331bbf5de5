/* SPDX-License-Identifier: MIT */
/*
 * neon-api: a stand-in for Neon's management API, for development and tests. A project is a role
 * and a database of its own on one local Postgres; what is known of it is a row there, so the
 * stand-in may be restarted. One thread, on the project's own modules.
 *
 *	neon-api.c		options, start, end
 *	neon-api-serve.c	a request from its first step to its response; /_knobs, /_stats
 *	neon-api-routes.c	the table of routes: one SQL statement each
 *	neon-api-settings.c	what a project and its endpoint may be given
 *	neon-api-schema.c	the table of projects, and their JSON as a view
 *	neon-api-build.c	making and dropping role and database, after the response
 *	neon-api-knobs.c	how to misbehave, and counts
 *	neon-api-limits.c	an account's rate and number of projects
 *
 * Unlike Neon: all projects share one server, so role and database have names of their own
 * ("neondb_owner_x", "neondb_x"), and connection_uri has the port, and a parameter that no client
 * knows (stand_in=1): clients must bear unknown ones, for Neon adds some.
 */
#ifndef DEVSTACK_NEON_API_H
#define DEVSTACK_NEON_API_H

#include "tenantgate/base/buf.h"
#include "tenantgate/base/json.h"
#include "tenantgate/catalog.h"
#include "tenantgate/http.h"

#define FAULTS_MAX	16
#define STATS_MAX	24
#define LOOK_US		(100 * 1000ull) /* how soon what waits sees a change of its knob */
#define UNAVAILABLE_MAX 16
#define PROJECT_ID_SIZE 64
#define PARAMETER_SIZE  300 /* of a query's parameter */

/* "Fail the next `times` requests of `route` with `status`." */
struct neon_fault {
	int status;
	unsigned times;
	int retry_after; /* seconds; 0: no header */
	bool after;	 /* the work is done first, then the failure is sent */
	char route[48];	 /* "POST /projects"; "" for any */
};

#define CALLS_MAX 1024 /* of an account that are remembered: as many as a minute may allow */

/* Calls that were let through, of one route or of all. */
struct neon_calls {
	uint64_t at_us[CALLS_MAX]; /* monotonic; a ring */
	unsigned count;		   /* all of them */
};

/* Requests of one route since the start. */
struct neon_stat {
	char route[48];
	unsigned count;
	struct neon_calls calls;
};

/* All its statements are one holder's. */
#define NEON_API_HOLDER SLICE_LIT("neon-api")

struct neon_api {
	struct worker *worker;
	struct dns *dns;
	struct catalog *catalog; /* owned: the administrator's connections */
	struct http_server *http;
	struct arena *arena;
	struct pg_target admin;	/* strings in the arena */
	const char *advertised; /* borrowed: the host in connection strings */
	const char *api_key;	/* borrowed from argv */
	/* from a project's creation until it is ready: so long, and a random part of the spread */
	uint64_t operation_us, operation_spread_us;
	/* knobs */
	uint64_t delay_us;
	char delay_route[48]; /* "" : every one */
	struct neon_fault faults[FAULTS_MAX];
	unsigned lose_responses; /* of POST /projects: the project is made, the connection cut */
	/* ids that lists name as unavailable, without the project */
	char unavailable[UNAVAILABLE_MAX][PROJECT_ID_SIZE];
	unsigned unavailable_count;
	unsigned calls_per_minute, route_per_second; /* of the account; 0: any number */
	unsigned projects_max;			     /* of the account; 0: any number */
	unsigned cu_max;	/* of the plan, compute units; 0: any size */
	unsigned suspend_min;	/* of the plan, seconds, which excludes "never"; 0: any */
	uint64_t change_us;	/* how long a change of a compute runs */
	int limit_retry_after; /* seconds, with a 429; -1: until a call is free, 0: not told */
	/* counts */
	struct neon_stat stats[STATS_MAX];
	unsigned parallel, parallel_peak; /* requests at once */
	unsigned made; /* projects, since the start */
	unsigned building, building_peak; /* projects whose operations run */
	unsigned limited; /* calls that were answered 429 */
	struct neon_calls calls;
};

/* One request: steps in neon-api-serve.c, SQL in neon-api-routes.c. */
struct route;
#define NEON_REQUEST_MAGIC 0x4e524551u /* "NREQ" */

struct neon_request {
	struct flow flow;
	unsigned magic;
	struct neon_api *api;	   /* borrowed */
	struct http_exchange *x;   /* borrowed until the end */
	const struct route *route; /* NULL for /_knobs */
	struct neon_fault fault;   /* status 0: none */
	bool lose_response;	   /* cut the connection in place of responding */
	char id[PROJECT_ID_SIZE]; /* the {project} of the path */
	struct timer timer;
	struct buf body; /* owned */
	json_t *json;	 /* owned */
	struct pg_query query;
	struct pg_result result; /* owned */
	char texts[8][PARAMETER_SIZE]; /* what the query's parameters borrow */
};

struct route {
	const char *method;
	const char *path; /* after /api/v2; "{p}" is one segment */
	const char *name; /* "GET /projects/{p}" */
	int status;	  /* of the response when all is well */
	/* Fills r->query; false with err set when the request is malformed. */
	bool (*prepare)(struct neon_request *, struct err *);
	/* A second statement, with the project's id as $1, whose row is the response; NULL: the
	 * first one's is. */
	const char *result_sql;
	/* Called when the first statement has done something; may be NULL. */
	void (*then)(struct neon_request *);
};

/* NULL when there is none. id: the {p} of the path, left as it is when there is none. */
const struct route *route_find(struct slice method, struct slice path, char id[PROJECT_ID_SIZE]);

/* neon-api-settings.c: what a body sets, as JSON to keep, of the request's; NULL with err set. */
const char *endpoint_settings_read(struct neon_request *, const json_t *, struct err *);
const char *quota_read(struct neon_request *, const json_t *project, struct err *);
bool prepare_endpoint_change(struct neon_request *, struct err *);
bool prepare_project_change(struct neon_request *, struct err *);

/* The row of a statement that a project's running operations forbid. */
#define LOCKED "locked"

/* Before the first request: creates what is not there yet. */
enum flow_rc schema_create(struct flow *, struct neon_api *, struct pg_result *);
/* Start making (or dropping) a project's role and database; the response does not wait for it. */
void build_start(struct neon_api *, const char *id, const char *password);
void drop_start(struct neon_api *, const char *id);

/* http_handler_fn; arg: struct neon_api. */
void serve_request(struct http_exchange *, void *arg);
/* An error in Neon's form. */
void serve_error(struct http_exchange *, int status, const char *message);

/* Sets what the body of POST /_knobs names; false with err set. */
bool knobs_set(struct neon_api *, const json_t *, struct err *);
/* Takes one of the faults that are left for this route; status 0 when there is none. */
struct neon_fault knobs_take_fault(struct neon_api *, const char *route);
void stats_count(struct neon_api *, const char *route);
/* Counts a call, unless the account has made too many: then false, with the seconds until another
 * is free. */
bool limits_take(struct neon_api *, const char *route, int *retry_after);
void stats_put(const struct neon_api *, struct buf *);

#endif
