/* SPDX-License-Identifier: MIT */
/*
 * adoption: a database that is there already becomes a tenant's: a project of Neon's by its id, or
 * any Postgres by its URL. Nothing in it is changed by that but one table of ours, by which it says
 * whose it is (tenant/owner_mark.h): our schema is laid at the tenant's first contact, as into any
 * other.
 *
 * The row is written first, whole and sealed, then the database claimed. A project is then
 * given the tenant's name at Neon (names.h), by which others see that it is taken: annotations,
 * which say it of projects that we make, can be written at Neon with a new branch alone. Whatever
 * is killed when, the same call again goes on from there.
 */
#ifndef TENANTGATE_TENANT_ADOPTION_H
#define TENANTGATE_TENANT_ADOPTION_H

#include "tenantgate/tenant.h"

#define ADOPTION_SOURCE_SIZE 64
#define ADOPTION_NAME_SIZE   257

enum adoption_stage { ADOPTION_LOOKS, ADOPTION_WRITES, ADOPTION_WRITTEN };

struct tenant_adoption {
	/* Set by the caller, borrowed until the wait is over. */
	const char	*id;
	const char	*project_id;	/* NULL: url is the source, and the other way round */
	const char	*url;		/* a secret is in it */
	bool		 is_dry_run;	/* all is looked at, nothing written */
	/* It is the tenant's though it says that it is another's: a copy of that one's. */
	bool		 takes_ownership;
	/* Of many projects: none is logged in to, and so none's compute woken. Each database is
	 * looked at, and claimed, at its tenant's first contact. */
	bool		 is_left_asleep;
	/* However it ends: whether anything was changed. From ADOPTION_WRITES on all but
	 * effective is set; the name is that which it is to have. */
	enum adoption_stage stage;
	bool		 was_ours;	/* it had been adopted for this tenant before */
	char		 source[ADOPTION_SOURCE_SIZE];	/* in the row: a project's id, "url-..." */
	char		 name_before[ADOPTION_NAME_SIZE]; /* of the project; "" with a URL */
	char		 name[ADOPTION_NAME_SIZE];	  /* that it has now */
	char		 host[DNS_NAME_MAX + 1];
	char		 dbname[PG_NAME_MAX + 1];
	/* "TENANT of ENVIRONMENT", whose it said it was; "": nobody's, or this tenant's. */
	char		 owner_before[TENANT_ID_MAX + 112];
	/* After a good end. */
	char		 effective[32];	/* when all replicas know: "now", "within 60s" */
};

/*
 * Fails with ERR_CONFLICT (the tenant has a database; it is another tenant's, or another
 * environment's, by the catalog, at Neon, or by the database's own word), ERR_NOT_FOUND (Neon has
 * no such project), ERR_INVALID_FIELD (the URL, or the provider is not Neon), ERR_FORBIDDEN (its
 * address is neither public nor in allowed_networks; the role may not say there whose it is),
 * ERR_DATABASE and its like (it takes no login), ERR_NEON, ERR_CATALOG. Again for the same source
 * is no conflict: a URL's user and password are then what it says now.
 */
enum flow_rc	tenant_adopt(struct flow *, struct tenants *, struct tenant_adoption *)
		    __attribute__((warn_unused_result));
/* The same, but a failure is in *why, and not the flow's. */
enum flow_rc	tenant_adopt_or_tell(struct flow *, struct tenants *, struct tenant_adoption *,
		    struct err *why) __attribute__((warn_unused_result));

#endif
