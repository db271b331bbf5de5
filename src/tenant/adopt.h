/* SPDX-License-Identifier: MIT */
/*
 * adopt: what the parts of an adoption share (tenantgate/tenant/adoption.h): adopt.c has the order,
 * adopt_project.c asks Neon, adopt_url.c reads a URL, adopt_trial.c asks the database, adopt_row.c
 * is the SQL, adopt_outcome.c what the caller is told.
 */
#ifndef TENANT_ADOPT_H
#define TENANT_ADOPT_H

#include "tenant/neon_call.h"
#include "tenant/owner_mark.h"
#include "tenant/row.h"
#include "tenantgate/tenant/adoption.h"

/* Whose a project of Neon's is, and how one logs in to its database. Fills the row's ids, address,
 * password; name: what the project is called. Fails as tenant_adopt(). */
struct adopt_project {
	struct flow flow;
	struct neon_call call;
	struct tenants *tenants; /* borrowed */
	struct tenant_row *row;	 /* borrowed; with project_id */
	char name[PROJECT_NAME_SIZE];
};
enum flow_rc adopt_project_look(struct flow *, struct adopt_project *, struct tenants *,
    struct tenant_row *) __attribute__((warn_unused_result));
/* The project is called row->project_name from now on. */
enum flow_rc adopt_project_mark(struct flow *, struct adopt_project *, struct tenants *,
    struct tenant_row *) __attribute__((warn_unused_result));

/* From the URL into the row, but for its name: address, role, password, how it is to be spoken to,
 * and as project_id a digest of host, port and database. False with err set. Pure. */
bool adopt_url_read(const char *url, struct tenant_row *, struct err *);

/* After a look that was forced, and saw another tenant's mark of this environment: fails with
 * ERR_CONFLICT when it is that tenant's very database, and none of a copy. */
struct adopt_copy {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct owner_mark *here; /* borrowed: of that look, which is made again */
	struct owner_mark there; /* of the other tenant's database, by its row */
	struct tenant_row row;	 /* of the other; holds a password, wiped */
	struct pg_conn *conn;	 /* owned */
	struct pg_result result; /* owned */
	struct err why;
};
enum flow_rc adopt_copy_check(struct flow *, struct adopt_copy *, struct tenants *,
    struct owner_mark *) __attribute__((warn_unused_result));

/* One login to the row's database, as requests will make it, and a look at what is there, and
 * whose it is; nothing is changed. The connection outlives the wait, and adopt_trial_close() is the
 * caller's, whatever came of it. */
struct adopt_trial {
	struct flow flow;
	struct tenants *tenants; /* borrowed, as the next two */
	const struct tenant_row *row;
	const struct tenant_adoption *adoption; /* with was_ours */
	struct owner_mark owner;
	struct adopt_copy copy;
	struct pg_conn *conn;	 /* owned; NULL: there was no login */
	struct pg_result result; /* owned */
};
enum flow_rc adopt_try(struct flow *, struct adopt_trial *, struct tenants *,
    const struct tenant_row *, const struct tenant_adoption *, struct err *why)
    __attribute__((warn_unused_result));
/* The database becomes the tenant's, by the same connection. As owner_mark(). */
enum flow_rc adopt_claim(struct flow *, struct adopt_trial *, struct err *why)
    __attribute__((warn_unused_result));
void adopt_trial_close(struct adopt_trial *);

/* Fails with the reason why a login by an address from outside was none. */
enum flow_rc adopt_login_refused(struct flow *, const struct pg_result *why, const struct tenant *)
    __attribute__((warn_unused_result));

/* A row for each other tenant of this project, or of this database by its address, however that is
 * written: its id. As row_select(). */
enum flow_rc adopt_row_others(struct flow *, struct catalog *, const struct tenant_row *,
    const char *port, struct pg_result *) __attribute__((warn_unused_result));
/* Writes the row, if the tenant has no database, or this very one by an adoption. No row changed:
 * it has another. 23505: the project is another tenant's. */
enum flow_rc adopt_row_write(struct flow *, struct catalog *, const struct tenant_row *,
    const char *provider, const char *port, const char *sealed, struct pg_result *)
    __attribute__((warn_unused_result));
/* The row is as it was before adopt_row_write(), if nothing has come of it yet: of the provider, to
 * be made at its first contact. */
enum flow_rc adopt_row_undo(struct flow *, struct catalog *, const struct tenant_row *,
    const char *provider, struct pg_result *) __attribute__((warn_unused_result));

/* What the caller is told before the first write; and, after a good end, when all replicas know.
 * name: of the project before. */
void adopt_outcome(const struct tenant_row *, const char *name, const struct adopt_trial *,
    struct tenant_adoption *out);
void adopt_tell_effective(const struct tenants *, struct tenant_adoption *out);
/* Failures: the tenant has a database; another tenant has this one (its id, or ""). */
enum flow_rc adopt_has_one(struct flow *, const char *id) __attribute__((warn_unused_result));
enum flow_rc adopt_is_taken(struct flow *, const char *by) __attribute__((warn_unused_result));

#endif
