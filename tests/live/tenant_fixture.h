/* SPDX-License-Identifier: MIT */
/*
 * tenant_fixture: a catalog, workers and a stand-in for Neon, for live tests of provisioning.
 * Needs TEST_PG_URL (an administrator's URL on a throw-away Postgres with pgvector), TEST_REDIS
 * (host:port) and, unless run from the build folder, TEST_NEON_API (the stand-in's program).
 */
#ifndef TESTS_LIVE_TENANT_FIXTURE_H
#define TESTS_LIVE_TENANT_FIXTURE_H

#include <semaphore.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/tenant.h"

#define WORKERS 4
/* How long an answer is waited for that is sure to come, on the busiest machine. */
#define FIXTURE_PATIENCE_US (30 * UINT64_C(1000000))

/* A worker on a thread of its own, with its links. */
struct fixture_worker {
	struct worker *worker;
	struct dns *dns;
	struct redis *redis;
	struct web *web;
	struct tenants *tenants;
};

struct tenant_fixture {
	struct worker *control; /* turned by the test's own thread */
	struct dns *dns;
	struct web *web;
	struct redis *redis;
	struct catalog *admin; /* the server's own database: the stand-in's tables */
	struct catalog *catalog;
	struct pools *pools;
	struct seal *seal;
	struct tenants_shared *shared; /* anew with each start of the workers */
	struct tenants_conf conf;
	struct fixture_worker workers[WORKERS];
	char catalog_url[300];
	char catalog_name[40];
	char neon_url[64];
	int neon_pid;
};

/* One contact: a lookup, then provisioning. */
struct contact {
	struct flow flow;
	struct task task;
	struct fixture_worker *fixture_worker;
	const char *id;
	struct tenant tenant;
	struct err err;
	sem_t over;
};

/* False when TEST_PG_URL or TEST_REDIS is not set. */
bool tenant_fixture_wanted(void);
void tenant_fixture_open(struct tenant_fixture *);
void tenant_fixture_close(struct tenant_fixture *);
/* Opens all workers anew with the fixture's conf / closes them: what they had begun is cut off. */
void tenant_fixture_start_workers(struct tenant_fixture *);
void tenant_fixture_stop_workers(struct tenant_fixture *);

/* Runs at once, on the test's thread. Text of row 0, column 0, static; "" for none. */
const char *tenant_fixture_sql(struct tenant_fixture *, struct catalog *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void tenant_fixture_knobs(struct tenant_fixture *, const char *json);
/* The record of a tenant. */
void tenant_fixture_redis_set(struct tenant_fixture *, const char *id, const char *value);
const char *tenant_fixture_redis_get(struct tenant_fixture *, const char *id);
void tenant_fixture_redis_pause(struct tenant_fixture *, unsigned ms); /* it hangs, for all */
struct redis *tenant_fixture_redis_open(struct worker *, struct dns *, uint64_t timeout_us);
/* So many replicas at the same time; what one of them failed with. */
enum err_code tenant_fixture_migrate(struct tenant_fixture *, unsigned replicas);

void fixture_worker_forget(struct tenant_fixture *, struct fixture_worker *, const char *id);
void contact_start(struct contact *, struct fixture_worker *, const char *id);
void contact_wait(struct contact *);
/* Starts and waits; the outcome. */
enum err_code contact_make(struct contact *, struct fixture_worker *, const char *id);

#endif
