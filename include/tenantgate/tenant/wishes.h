/* SPDX-License-Identifier: MIT */
/*
 * tenant/wishes: what an operator wants a tenant to be: made, its plan and settings, and what Neon
 * is to give its database. Of tenant's room; see tenant.h for threads and ownership.
 *
 *	[applied] --tenant_change_write()--> [pending] --Neon has it--> [applied]
 *	    ^                                  |    ^ \
 *	    |			 Neon refuses  |    |  Neon is away: again, by itself
 *	    +----------------------------------+    +--+
 *
 * The row says all of it: the wish is written before Neon is asked, and what is to hold with it
 * (plan, settings) is held beside it, so that a change that Neon refuses leaves the row as it was.
 * A change without anything of Neon's holds at once. A database that is not made yet is made as it
 * is wished then.
 */
#ifndef TENANTGATE_TENANT_WISHES_H
#define TENANTGATE_TENANT_WISHES_H

#include <jansson.h>

#include "tenantgate/tenant.h"

/* Row of tenant_wish_look(). Texts are borrowed from its result, the json_t are owned:
 * tenant_wish_view_free(). */
struct tenant_wish_view {
	const char	*version;	/* of the row: for tenant_change_write() */
	const char	*state;		/* "provisioning", "failed", "ready", "suspended" */
	const char	*plan;		/* "": default */
	const char	*region;	/* NULL: the provider has none */
	const char	*name, *email;	/* NULL: not said */
	const char	*created_at;	/* RFC 3339 */
	bool		 is_neon;
	bool		 is_deleted;	/* a tombstone; its state is that of before */
	bool		 is_begun;	/* something was asked of the provider: it has its region */
	bool		 is_made;	/* there is a database */
	bool		 is_pending;	/* Neon is not known to have what is wished */
	bool		 is_left;	/* its database is to be made, and nobody is at it */
	bool		 is_refused_by_neon; /* what was wished last; the row is as before */
	int		 wait_s;	/* until its database may be tried again; 0: now */
	int		 asked_s;	/* the same, as far as Neon has asked for it */
	json_t		*settings;	/* the tenant's own, by the plan's names */
	json_t		*wished;	/* of Neon's: neon_settings.h */
	json_t		*applied;
	json_t		*held;		/* {"plan","settings"} that wait for it; or NULL */
	char		 reason[256];	/* of a failed one, a sentence; else "" */
	char		 neon_error[256]; /* why Neon does not have it; else "" */
};

/* Both operations wake plainly; *out is for catalog_check() and tenant_wish_read(), and the
 * caller's to pg_clear(). No row: there is no such tenant. */
enum flow_rc	 tenant_wish_look(struct flow *, struct tenants *, const char *id,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* False when there is no row, or err is set: what is in it cannot be read. */
bool		 tenant_wish_read(const struct pg_result *, struct tenant_wish_view *,
		    struct err *);
void		 tenant_wish_view_free(struct tenant_wish_view *);	/* idempotent */

/* {"compute":{...},"quotas":{...}} of such an object, null where nothing is set; NULL without
 * memory. */
json_t		*tenant_neon_json(const json_t *wished);

/* What a request asks for; all borrowed. Members that are not set stay as they are. */
struct tenant_change_request {
	const json_t	*body;		/* "settings", "compute", "quotas": as it was sent */
	const char	*plan;		/* with has_plan; NULL: the default one */
	const char	*region;	/* with has_region; NULL: the configured one */
	const char	*name, *email;	/* of a new tenant; NULL: not said */
	bool		 has_plan, has_region;
};

/* What the row is to be. Owned: tenant_change_free(). */
struct tenant_wishes {
	char		 plan[PLAN_NAME_MAX + 1];
	char		 region[65];	/* "": none */
	json_t		*settings;
	json_t		*wished;
	json_t		*held;		/* or NULL */
	bool		 is_change;	/* it is other than the row */
};
/* Pure but for the configuration. view NULL: of a new tenant. False with err set: ERR_INVALID_FIELD
 * (what cannot be so, with the plan's own reason), ERR_CONFLICT (a region that is taken). */
bool		 tenant_wishes_make(const struct tenants *, const struct tenant_wish_view *,
		    const struct tenant_change_request *, struct tenant_wishes *, struct err *);
void		 tenant_wishes_free(struct tenant_wishes *);	/* idempotent */
/* Whether an existing tenant is as a creation asks for; else which member differs, static. */
bool		 tenant_is_as_wished(const struct tenant_wish_view *, const struct tenant_wishes *,
		    const struct tenant_change_request *, const char **differs);

/* Writes it. No row comes back, and nothing has changed, when the row is not the view's version any
 * more: look again. May be repeated. */
enum flow_rc	 tenant_change_write(struct flow *, struct tenants *, const char *id,
		    const char *version, const struct tenant_wishes *, struct pg_result *out)
		    __attribute__((warn_unused_result));
/* The row of a new tenant, whose database is to be made. None comes back when there is one. */
enum flow_rc	 tenant_create_write(struct flow *, struct tenants *, const char *id,
		    const struct tenant_wishes *, const struct tenant_change_request *,
		    struct pg_result *out) __attribute__((warn_unused_result));

/* Asks Neon for what is pending, behind the caller, once over all replicas. */
void		 tenant_wish_begin(struct tenants *, const char *id);
/* Waits for that, or a moment where another process is at it, at most so long; whatever came of it
 * is in the row. Wakes plainly. */
enum flow_rc	 tenant_wish_wait(struct flow *, struct tenants *, const char *id, uint64_t us)
		    __attribute__((warn_unused_result));
/* Never ends: begins what was left pending, by whom ever; of one worker. */
void		 tenant_wishes_watch(struct tenants *);

/* What a failed attempt left: the time before which nobody tries again is over, but for what Neon
 * asked for; a pending wish likewise. A row comes back where there is one. May be repeated. */
enum flow_rc	 tenant_retry_write(struct flow *, struct tenants *, const char *id,
		    struct pg_result *out) __attribute__((warn_unused_result));

/* ---- warm ---- */
struct tenant_warmth {
	enum tenant_state	state;		/* before */
	uint64_t		made_us;	/* until there was a database; 0: there was one */
	uint64_t		answered_us;	/* until it answered a statement */
	bool			is_cut_off;	/* after provision_wait; it goes on behind */
};
/* Makes the tenant's database, or wakes it, and has a connection of it in the pool. Fails as
 * tenant_provision() and pool_borrow() do, with ERR_NOT_FOUND when there is no such tenant. */
enum flow_rc	 tenant_warm(struct flow *, struct tenants *, const char *id,
		    struct tenant_warmth *out) __attribute__((warn_unused_result));

#endif
