/* SPDX-License-Identifier: MIT */
/*
 * ends: how an operator suspends, resumes and deletes a tenant.
 *
 *	tenant_order()		the row: from then on it is refused everywhere, and what is left to
 *	    |			do is owed (end_order)
 *	tenant_end_begin()	behind the caller: all replicas drop what they hold of it, and end
 *	    |			its requests; its endpoint at Neon is disabled or enabled, its
 *	    |			database deleted, its keys in Redis and its rows in the catalog go
 *	tenant_end_wait()	for a while; who does not wait leaves it to go on
 *	tenant_end_describe()	what is done, and what is owed
 *
 * What is owed is gone on with by whoever comes next: a caller that orders it again, or the watch,
 * one of which runs in each process, by lease in the row. Every step of it may be repeated, so a
 * process may be killed anywhere. A deleted tenant's row stays as a tombstone: no request, key or
 * PUT /tenant brings it back, only tenant_recreate().
 *
 * A worker's, on its thread, as struct tenants. Times are RFC 3339.
 */
#ifndef TENANTGATE_TENANT_ENDS_H
#define TENANTGATE_TENANT_ENDS_H

#include "tenantgate/tenant.h"

enum tenant_order { TENANT_SUSPEND, TENANT_RESUME, TENANT_DELETE };

#define TENANT_REASON_MAX 500 /* bytes */

/* Writes the order; reason may be NULL, and is borrowed until the wait is over. Wakes plainly, for
 * catalog_check(). Where it does not apply (tenant_end_describe() says) nothing is changed. */
enum flow_rc	tenant_order(struct flow *, struct tenants *, const char *id, enum tenant_order,
		    const char *reason, struct pg_result *out)
		    __attribute__((warn_unused_result));
/* Carries out what is owed of the tenant, in a flow of its own; joins the one under way. id is
 * copied. */
void		tenant_end_begin(struct tenants *, const char *id);
/* Until that is over, whatever came of it, but no longer than us. In the flow's arena. */
enum flow_rc	tenant_end_wait(struct flow *, struct tenants *, const char *id, uint64_t us)
		    __attribute__((warn_unused_result));

/* Borrowed from the result; NULL where there is none. */
struct tenant_end_view {
	const char	*state;		/* "ready" ... "suspended", "deleting" or "deleted"; NULL:
					 * there is no such tenant */
	const char	*suspended_at, *reason;
	const char	*owed;		/* "suspend", "resume" or "delete"; NULL: nothing is */
	char		 owed_why[256];	/* why it was not done at the last try; "" : not tried, or
					 * under way */
	const char	*project_id;	/* at Neon */
	const char	*documents, *keys;	/* decimal: stored, and not revoked, now */
	bool		 has_receipt;	/* of its last deletion; it may have been created anew */
	struct tenant_receipt {
		const char	*ordered_at, *reason, *provider, *region, *project_id;
		const char	*stored_bytes, *documents, *bytes, *chunks, *keys; /* decimal */
		const char	*projects_left;
		const char	*requests_ended_at, *database_deleted_at, *redis_cleared_at;
		const char	*catalog_cleared_at; /* set: the deletion is over */
		const char	*recoverable_until;  /* NULL: there was no project */
	} receipt;
};
enum flow_rc	tenant_end_describe(struct flow *, struct tenants *, const char *id,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* False when there is neither a tenant of that id nor a receipt. */
bool		tenant_end_read(const struct pg_result *, struct tenant_end_view *);

/* Takes the tombstone of a deletion that is over away, so that a tenant of that id can be made.
 * Rows: it was there; each with the id of a key that was revoked with it, if there were any, for
 * auth_forget(): the new tenant's id is theirs. The receipt stays. Then tenant_forget(). */
enum flow_rc	tenant_recreate(struct flow *, struct tenants *, const char *id,
		    struct pg_result *out) __attribute__((warn_unused_result));

/* Whether all replicas hear of an order at once; else within that time: of their records and, where
 * there is a Redis which we do not reach, and they may, of what it has. */
bool		tenant_is_heard(const struct tenants *);
uint64_t	tenant_unheard_us(const struct tenants *);

/* Looks for what is owed, now and every provision_lease, until the worker's flows are aborted. On
 * one worker of a process. */
void		tenant_ends_watch(struct tenants *);

#endif
