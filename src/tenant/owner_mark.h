/* SPDX-License-Identifier: MIT */
/*
 * owner_mark: what a tenant's database itself says of whose it is: one row, of an environment and a
 * tenant, in public.tenantgate_owner. Two addresses may lead to one database (a pooler's name, a
 * CNAME, an address in place of a name), and two environments have two catalogs: this is in the
 * one place that all who would use the database come to. Private to tenant/.
 */
#ifndef TENANT_OWNER_MARK_H
#define TENANT_OWNER_MARK_H

#include "tenant/row.h"
#include "tenant/tenant_internal.h"

#define OWNER_TABLE	 "public.tenantgate_owner"
#define OWNER_TOKEN_LEN	 20 /* random characters: of each claim its own */
#define OWNER_SHOWN_SIZE (ENVIRONMENT_MAX + 1)

/* Set by the caller, but for what is at the end; all borrowed until the wait is over. */
struct owner_mark {
	struct flow flow;
	struct tenants *tenants;
	struct pg_conn *conn; /* logged in to the database, with nothing under way */
	const char *id;	      /* the tenant's */
	bool is_look;	      /* nothing is written: only whether it may be the tenant's */
	bool is_forced;	      /* whosever it was: an operator says that it is the tenant's */
	bool is_operators;    /* the failure may name another tenant */
	/* After a good end: whose it was, where it was another's. "": nobody's, or the tenant's. */
	char before_environment[OWNER_SHOWN_SIZE];
	char before_tenant[TENANT_ID_MAX + 1];
	char seen[OWNER_TOKEN_LEN + 1];	 /* of another's mark: its token */
	char token[OWNER_TOKEN_LEN + 1]; /* of the claim */
	/* the flow's */
	struct pg_result result; /* owned */
	unsigned rounds;
};

/*
 * The database is the tenant's from now on, and no other's. Of two that ask at once one has it. It
 * may be taken where it has no mark, where it is the tenant's own already, and where the mark names
 * a tenant of this environment that has no database by the catalog: so the row is written first,
 * in which the address is, and the mark after it. Fails with ERR_CONFLICT (another's;
 * ERR_DATABASE where it is not is_operators), ERR_FORBIDDEN (the role may not; the same),
 * ERR_DATABASE and its like, ERR_CATALOG.
 */
enum flow_rc owner_mark(struct flow *, struct owner_mark *) __attribute__((warn_unused_result));
enum flow_rc owner_mark_or_tell(struct flow *, struct owner_mark *, struct err *why)
    __attribute__((warn_unused_result));

/* Takes the mark away, where it is the tenant's: the database may then be anybody's. The parent
 * calls owner_release_init(), then flow_try(). A database that does not answer keeps its mark, and
 * that is logged: it then names a tenant that has no database. Fails with ERR_CATALOG. */
struct owner_release {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct tenant_row row;	 /* holds a password, wiped */
	struct pg_conn *conn;	 /* owned */
	struct pg_result result; /* owned */
};
extern const struct flow_kind owner_release_kind;
void owner_release_init(struct owner_release *, struct tenants *, const char *id);

#endif
