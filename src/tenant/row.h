/* SPDX-License-Identifier: MIT */
/*
 * row: a tenant's row in the catalog, and the statements that change it. Each write of an attempt
 * names its attempt id: one that was taken over changes nothing.
 */
#ifndef TENANT_ROW_H
#define TENANT_ROW_H

#include <stdbool.h>

#include "tenant/names.h"
#include "tenantgate/tenant.h"

#define ATTEMPT_ID_LEN 16

struct tenant_row {
	struct tenant tenant; /* password opened; "" when there is none */
	char project_name[PROJECT_NAME_SIZE];
	char project_id[PROVIDER_ID_SIZE]; /* "" : not known */
	char endpoint_id[PROVIDER_ID_SIZE];
	char branch_id[PROVIDER_ID_SIZE];
	char attempt_id[ATTEMPT_ID_LEN + 1];
	int attempts;
	bool lease_expired;
	int posted_ago_s; /* since an earlier creation; with is_posted */
	bool is_posted;	  /* a creation's outcome is not known */
	bool is_new;	  /* the database was made by this attempt */
};

/* Everything that is needed to connect is there. */
bool row_is_complete(const struct tenant_row *);
/* Row 0 of a result of row_select() or row_claim(). False when it makes no sense, or the sealed
 * password does not open (err says which). */
bool row_read(const struct pg_result *, const char *id, const struct seal *, struct tenant_row *out,
    struct err *);
/* "tenant:<id>": what a password in the catalog is sealed to. */
void row_seal_context(char out[TENANT_KEY_SIZE], const char *id);

/* Operations on the catalog; texts are borrowed until the wait is over. */
enum flow_rc row_select(struct flow *, struct catalog *, const char *id, struct pg_result *)
    __attribute__((warn_unused_result));

struct row_claim {
	const char *id, *attempt, *provider, *region, *project_name;
	char lease_ms[24];
};
/* One row when the attempt is ours, none when there is nothing to claim. */
enum flow_rc row_claim(struct flow *, struct catalog *, const struct row_claim *,
    struct pg_result *) __attribute__((warn_unused_result));
enum flow_rc row_renew(struct flow *, struct catalog *, const struct row_claim *,
    struct pg_result *) __attribute__((warn_unused_result));
/* "A creation is about to be asked for." */
enum flow_rc row_post(struct flow *, struct catalog *, const char *id, const char *attempt,
    struct pg_result *) __attribute__((warn_unused_result));
/* What was learnt from the provider, in one write. port and sealed as texts. */
enum flow_rc row_save(struct flow *, struct catalog *, const struct tenant_row *, const char *port,
    const char *sealed, struct pg_result *) __attribute__((warn_unused_result));
enum flow_rc row_ready(struct flow *, struct catalog *, const struct tenant_row *,
    const char *schema_version, struct pg_result *) __attribute__((warn_unused_result));
/* keep_posted: the outcome of a creation is still unknown. forget_password: it did not open the
 * database. */
enum flow_rc row_fail(struct flow *, struct catalog *, const struct tenant_row *, const char *why,
    bool keep_posted, bool forget_password, struct pg_result *) __attribute__((warn_unused_result));

/* PG_OK and one row changed: FLOW_NEXT. */
enum flow_rc row_check(struct flow *, const struct pg_result *, const char *what)
    __attribute__((warn_unused_result));

#endif
