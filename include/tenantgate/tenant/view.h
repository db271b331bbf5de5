/* SPDX-License-Identifier: MIT */
/*
 * view: tenants as operators see them, of the catalog alone: no database is woken by a look, and
 * nothing secret is read. Ids are in the order of their bytes, so that those of a prefix are one
 * after another, and a page costs the same wherever it begins and however many tenants there are.
 */
#ifndef TENANTGATE_TENANT_VIEW_H
#define TENANTGATE_TENANT_VIEW_H

#include "tenantgate/base/buf.h"
#include "tenantgate/tenant.h"

#define TENANT_PAGE_MAX 1000

struct tenant_page {
	const char	*prefix;	/* of the ids; "": all */
	const char	*after;		/* an id: the page begins behind it; "" */
	const char	*status;	/* a state's word; NULL: any */
	const char	*plan;		/* "": those without one; NULL: any */
	unsigned	 limit;		/* up to TENANT_PAGE_MAX */
};

/* Whether it is a state's word; the others are told by `tenant_status_words`. */
bool	tenant_status_known(const char *word);
extern const char	tenant_status_words[];

/* A page's rows and one more where there is a next page. Borrow all until the wait is over; *out is
 * for catalog_check(), and the caller's to pg_clear(). */
enum flow_rc	tenants_list(struct flow *, struct tenants *, const struct tenant_page *,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* All of one; no row when there is none. Likewise. */
enum flow_rc	tenant_look(struct flow *, struct tenants *, const char *id, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* Members of a JSON object, without its braces: "id":"acme","state":"ready",... */
void	tenants_list_put(struct buf *, const struct pg_result *, unsigned row);
void	tenant_look_put(struct buf *, const struct pg_result *);
/* Of either. Borrowed. */
const char	*tenant_row_id(const struct pg_result *, unsigned row);

/* What holds for the tenant by what its row says now, which may be newer than the record that
 * requests go by. Of tenant_look(). */
struct tenant_limits {
	const struct plan	*plan;		/* borrowed: own, or of the configuration */
	struct plan		*own;		/* free() it; NULL: the tenant has no settings */
	unsigned		 requests_per_minute; /* of its row's column; 0: not set there */
	uint64_t		 documents, bytes;	/* that count: ready, or being stored */
};
void	tenant_limits_read(const struct tenants *, const struct pg_result *,
	    struct tenant_limits *out);

#endif
