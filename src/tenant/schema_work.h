/* SPDX-License-Identifier: MIT */
/*
 * schema_work: one step of a schema, in a tenant's database that is in use. A child flow, for
 * flow_try(); the worker's thread.
 */
#ifndef TENANT_SCHEMA_WORK_H
#define TENANT_SCHEMA_WORK_H

#include "tenantgate/base/buf.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"
#include "tenantgate/wire/pg.h"

/* The caller's memory. The first five are set, and borrowed until the end. */
struct schema_work {
	struct flow flow;
	struct pools *pools;
	const struct pool_target *target;
	const char *sql;
	const char *index; /* tenant.h, struct tenant_schema_step */
	uint64_t timeout_us;
	struct pool_lease lease; /* given back at the end */
	struct pg_result result; /* the last statement's: the caller's to pg_clear() */
	struct buf script;	 /* owned: the step, with its time-outs */
	char drop[sizeof("DROP INDEX CONCURRENTLY IF EXISTS ") + PG_NAME_MAX * 2];
};

extern const struct flow_kind schema_work_kind;

#endif
