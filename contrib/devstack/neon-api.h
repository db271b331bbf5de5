/* SPDX-License-Identifier: MIT */
/*
 * neon-api: a stand-in for Neon's management API, for development and tests. A project is a role
 * and a database of its own on one local Postgres; what is known of it is a row there, so the
 * stand-in may be restarted. One thread, on the project's own rooms.
 *
 * Unlike Neon: all projects share one server, so role and database have names of their own
 * ("neondb_owner_x", "neondb_x"), and connection_uri has the port, and a parameter that no client
 * knows (stand_in=1).
 */
#ifndef DEVSTACK_NEON_API_H
#define DEVSTACK_NEON_API_H

#include "tenantgate/base/buf.h"
#include "tenantgate/base/json.h"
#include "tenantgate/catalog.h"
#include "tenantgate/http.h"

#define FAULTS_MAX	16
#define STATS_MAX	24
#define UNAVAILABLE_MAX 16
#define PROJECT_ID_SIZE 64
#define PARAMETER_SIZE  300 /* of a query's parameter */

/* "Fail the next `times` requests of `route` with `status`." */
struct neon_fault {
	int status;
	unsigned times;
	int retry_after; /* seconds; 0: no header */
	bool after;	 /* the work is done first, then the failure told */
	char route[48];	 /* "POST /projects"; "" for any */
};

struct neon_stat {
	char route[48];
	unsigned count;
};

struct neon_api {
	struct worker *worker;
	struct dns *dns;
	struct catalog *catalog; /* the administrator's connections */
	struct http_server *http;
	struct arena *arena;
	struct pg_target admin;
	const char *advertised; /* the host clients are told */
	const char *api_key;
	uint64_t operation_us;
	/* knobs */
	uint64_t delay_us;
	char delay_route[48]; /* "" : every one */
	struct neon_fault faults[FAULTS_MAX];
	unsigned lose_next; /* answers of POST /projects that get lost */
	char unavailable[UNAVAILABLE_MAX][PROJECT_ID_SIZE];
	unsigned unavailable_count;
	/* counts */
	struct neon_stat stats[STATS_MAX];
	unsigned parallel, parallel_peak;
	unsigned made; /* projects, since the start */
};

/* One request: a table of steps in neon-api-serve.c, SQL in neon-api-routes.c. */
struct route;
#define NEON_REQUEST_MAGIC 0x4e524551u /* "NREQ" */

struct neon_request {
	struct flow flow;
	unsigned magic;
	struct neon_api *api;
	struct http_exchange *x;
	const struct route *route;
	struct neon_fault fault; /* status 0: none */
	bool is_lost;
	char id[PROJECT_ID_SIZE]; /* the {project} of the path */
	struct timer timer;
	struct buf body; /* owned */
	json_t *json;	 /* owned */
	struct pg_query query;
	struct pg_result result; /* owned */
	char texts[8][PARAMETER_SIZE];	 /* parameters of the query */
};

struct route {
	const char *method;
	const char *path; /* after /api/v2; "{p}" is one segment */
	const char *name; /* "GET /projects/{p}" */
	int status;	  /* of a good answer */
	/* Fills query; false with err set when the request is no good. */
	bool (*prepare)(struct neon_request *, struct err *);
	/* A second statement over the project's id, whose answer it is; or NULL. */
	const char *form;
	/* After a good query; may be NULL. */
	void (*then)(struct neon_request *);
};

/* NULL when there is none; fills id. */
const struct route *route_find(struct slice method, struct slice path, char id[PROJECT_ID_SIZE]);

/* Before the first request. */
enum flow_rc schema_create(struct flow *, struct neon_api *, struct pg_result *);
/* A project's role and database are made (or unmade), behind the answer. */
void build_start(struct neon_api *, const char *id, const char *password);
void drop_start(struct neon_api *, const char *id);

void serve_request(struct http_exchange *, void *arg);
void serve_error(struct http_exchange *, int status, const char *message);

/* POST /_knobs with that body; false with err set. */
bool knobs_set(struct neon_api *, const json_t *, struct err *);
/* Takes one from the faults for this route; status 0 when there is none. */
struct neon_fault knobs_take_fault(struct neon_api *, const char *route);
void stats_count(struct neon_api *, const char *route);
void stats_put(const struct neon_api *, struct buf *);

#endif
