/* SPDX-License-Identifier: MIT */
/*
 * tenant_house: a catalog, workers and a stand-in for Neon, for live tests of provisioning.
 * Needs TEST_PG_URL (an administrator's URL on a throw-away Postgres with pgvector), TEST_REDIS
 * (host:port) and, unless run from the build folder, TEST_NEON_API (the stand-in's program).
 */
#ifndef TESTS_LIVE_TENANT_HOUSE_H
#define TESTS_LIVE_TENANT_HOUSE_H

#include <semaphore.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/tenant.h"

#define WORKERS 4

/* A worker on a thread of its own, with its rooms. */
struct room {
	struct worker *worker;
	struct dns *dns;
	struct redis *redis;
	struct web *web;
	struct tenants *tenants;
};

struct house {
	struct worker *control; /* turned by the test's own thread */
	struct dns *dns;
	struct web *web;
	struct redis *redis;
	struct catalog *admin; /* the server's own database: the stand-in's tables */
	struct catalog *catalog;
	struct pools *pools;
	struct seal *seal;
	struct tenants_conf conf;
	struct room rooms[WORKERS];
	char catalog_url[300];
	char catalog_name[40];
	char neon_url[64];
	int neon_pid;
};

/* One contact: a visit, then provisioning. */
struct contact {
	struct flow flow;
	struct task task;
	struct room *room;
	const char *id;
	struct tenant tenant;
	struct err err;
	sem_t over;
};

/* False when the environment does not say where things are. */
bool house_wanted(void);
void house_open(struct house *);
void house_close(struct house *);
/* Opens all workers anew with house->conf / closes them: whatever they were at is cut off. */
void house_start_rooms(struct house *);
void house_stop_rooms(struct house *);

/* Runs at once, on the test's thread. Text of row 0, column 0, static; "" for none. */
const char *house_sql(struct house *, struct catalog *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void house_knobs(struct house *, const char *json);
/* The record of a tenant. */
void house_redis_set(struct house *, const char *id, const char *value);
const char *house_redis_get(struct house *, const char *id);
void house_redis_pause(struct house *, unsigned ms); /* it hangs, for everybody */
struct redis *house_redis_open(struct worker *, struct dns *);
/* So many replicas at the same time; what one of them failed with. */
enum err_code house_migrate(struct house *, unsigned replicas);

void room_forget(struct house *, struct room *, const char *id);
void contact_start(struct contact *, struct room *, const char *id);
void contact_wait(struct contact *);
/* Starts and waits; the outcome. */
enum err_code contact_make(struct contact *, struct room *, const char *id);

#endif
