/* SPDX-License-Identifier: MIT */
/*
 * orphans_internal: the object that orphans.c fills, orphans_owner.c judges and orphan_remove.c
 * takes from.
 */
#ifndef TENANT_ORPHANS_INTERNAL_H
#define TENANT_ORPHANS_INTERNAL_H

#include <sys/queue.h>

#include "tenant/neon_call.h"
#include "tenant/neon_read.h"
#include "tenantgate/base/map.h"
#include "tenantgate/tenant/orphans.h"

#define ORPHANS_MAX 4096 /* of either kind: more are a failure, for then something else is wrong */

struct orphan_project {
	TAILQ_ENTRY(orphan_project) link;
	char id[PROVIDER_ID_SIZE];
	char name[PROJECT_NAME_SIZE];
	char tenant[TENANT_ID_MAX + 1]; /* whose it says it is */
};
TAILQ_HEAD(orphan_projects, orphan_project);

struct orphan_tenant {
	TAILQ_ENTRY(orphan_tenant) link;
	char id[TENANT_ID_MAX + 1];
	char project_id[PROVIDER_ID_SIZE];
};
TAILQ_HEAD(orphan_tenants, orphan_tenant);

struct tenant_orphans {
	struct flow flow;
	struct neon_call call;
	struct tenants *tenants; /* borrowed */
	struct tenant_row row;	 /* for the calls: nobody's */
	struct pg_result result; /* owned */
	struct map *projects;	 /* owned, with its values: id -> struct orphan_project; all that
				  * Neon has and no tenant */
	char cursor[CURSOR_MAX];
	unsigned pages, seen;
	char last[TENANT_ID_MAX + 1];	/* of the page of tenants before */
	struct orphan_tenants missing;	/* owned: not listed; asked for one by one */
	struct orphan_tenants gone;	/* owned: they are orphans */
	struct orphan_projects unknown; /* owned: to be asked for their annotations */
	struct orphan_projects orphans; /* owned */
	unsigned missing_count, gone_count, orphan_count;
};

/* Of the response of GET branches and the project's name: whether it is this environment's; then
 * its tenant is in p->tenant. Pure. */
bool orphan_is_ours(const json_t *branches, const char *environment, struct orphan_project *p);
/* A row when the project has a tenant, or may have one in a moment. As catalog_run(). */
enum flow_rc orphan_look_tenant(struct flow *, struct tenants *, const struct orphan_project *,
    struct pg_result *) __attribute__((warn_unused_result));

#endif
