/* SPDX-License-Identifier: MIT */
/*
 * app_catalog: an application's own catalog, of Neon's db-per-tenant example: its users, the
 * projects of these, and their documents. It is read, page by page, each by a login and a statement
 * of its own that may not write; its URL came by the admin door, so that it leads where
 * allowed_networks and the internet are.
 *
 * How far it has been copied, what was, and what was not and why, is in our catalog, by a digest of
 * its host and database (public.adoptions, public.adoption_skips). A page is copied by one
 * statement, which moves the position too: so whoever is killed, or runs beside another, copies
 * nothing twice and counts nothing twice.
 */
#ifndef TENANTGATE_TENANT_APP_CATALOG_H
#define TENANTGATE_TENANT_APP_CATALOG_H

#include "tenantgate/tenant.h"

/* In this order: documents want their users. */
enum app_part { APP_USERS, APP_PROJECTS, APP_DOCUMENTS, APP_PARTS };
/* "users", "projects", "documents"; static. */
const char	*app_part_name(enum app_part);

struct app_catalog;
/* NULL with err set (ERR_INVALID_FIELD): the URL. Copies it; the free wipes it, NULL is fine. */
struct app_catalog	*app_catalog_new(struct tenants *, const char *url, struct err *);
void			 app_catalog_free(struct app_catalog *);
/* "url-<24 hex digits>": how our catalog knows it. Borrowed. */
const char		*app_catalog_source(const struct app_catalog *);
/* Its host, for people; borrowed. */
const char		*app_catalog_host(const struct app_catalog *);

/*
 * The rows of a part whose numbers are above `after` (decimal), in order. Of users and documents
 * one row: how many, the last number, and all of them as JSON (NULL: none). Of projects a row each:
 * number, user, project. Fails with ERR_FORBIDDEN, ERR_INVALID_FIELD (it is no such catalog),
 * ERR_DATABASE and its like.
 */
enum flow_rc	 app_catalog_page(struct flow *, struct app_catalog *, enum app_part,
		    const char *after, struct pg_result *out) __attribute__((warn_unused_result));

/* Where it stands: positions of the parts, then how many of each were copied (APP_PARTS each). As
 * catalog_run(), as all below. is_dry_run: no row is made; none comes back where there is none. */
enum flow_rc	 app_copy_begin(struct flow *, struct tenants *, const char *source,
		    bool is_dry_run, struct pg_result *out) __attribute__((warn_unused_result));
/* How many were skipped of each kind and for which reason, and the first thousand of these: two
 * values, JSON. */
enum flow_rc	 app_copy_skips(struct flow *, struct tenants *, const char *source,
		    struct pg_result *out) __attribute__((warn_unused_result));

/* One page of users: from and to are decimal, json is of app_catalog_page(). Gives how many pages
 * it was (0: another has been there, begin again), how many users were copied, and which were not
 * and why, as JSON (NULL: none). */
struct app_page {
	const char *source, *from, *to, *json;
};
enum flow_rc	 app_copy_users(struct flow *, struct tenants *, const struct app_page *,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* A project was adopted (tenant_adopt()), or skipped for that reason. No row changed: another has
 * been there. */
enum flow_rc	 app_copy_project(struct flow *, struct tenants *, const char *source,
		    const char *number, const char *project, const char *reason,
		    struct pg_result *out) __attribute__((warn_unused_result));

#endif
