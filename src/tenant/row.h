/* SPDX-License-Identifier: MIT */
/*
 * row: a tenant's row in public.tenants, and the statements that change it. All writes of an
 * attempt name its attempt id, so an attempt that was taken over changes nothing (fencing).
 *
 * Every operation is one statement, and harmless when it is repeated by the same attempt:
 * catalog_run() does that when an idle connection turns out to be dead.
 */
#ifndef TENANT_ROW_H
#define TENANT_ROW_H

#include <stdbool.h>

#include "tenant/names.h"
#include "tenant/neon_settings.h"
#include "tenantgate/tenant.h"

#define ATTEMPT_ID_LEN 16 /* random characters: no two attempts share one */

/* The detail of ERR_PROVISIONING when the row turns out to be another attempt's. */
#define ATTEMPT_LOST_DETAIL \
	"Another worker or replica has taken over this attempt. Try again in a moment."

struct tenant_row {
	struct tenant tenant; /* password opened; "" when there is none */
	char project_name[PROJECT_NAME_SIZE];
	char project_id[PROVIDER_ID_SIZE]; /* "" : not known */
	char endpoint_id[PROVIDER_ID_SIZE];
	char branch_id[PROVIDER_ID_SIZE];
	char region[REGION_SIZE]; /* that was asked for; "" : the configured one */
	char attempt_id[ATTEMPT_ID_LEN + 1]; /* whose the row is, or was last */
	char read_at_ms[24]; /* the database's clock, decimal: of a claim, later than any before */
	int attempts;			     /* claims so far, this one included */
	bool lease_expired;		     /* by the database's clock; also when there is none */
	int posted_ago_s;		     /* with is_posted: its age when the row was read */
	bool is_posted;			     /* a creation was sent and its outcome is not known */
	int refusals;			     /* of limits of the provider's, in a row */
	char neon_wished[NEON_SETTINGS_SIZE]; /* JSON: what a creation asks for (neon_settings.h) */
	int wait_s; /* when read: until an attempt may be made; then: what row_fail() writes */
	char last_error[512]; /* as row_error_write() made it */
	char settings[PLAN_SETTINGS_MAX + 1]; /* JSON; "": none, or too long */
	/* not in the catalog: of this attempt */
	bool is_new;	   /* it made the database */
	const char *slot;  /* borrowed: its slot among the creations (neon_ticket.h); NULL: none */
	unsigned calls;	   /* of Neon's API */
	int asked_s;	   /* of wait_s: what Neon itself has asked for, by Retry-After */
	uint64_t made_at_us;	/* with is_new: when the creation was answered; monotonic */
	uint64_t operations_us; /* with is_new: how long Neon's operations took */
};

/* Everything that is needed to connect is there, so nothing has to be created. */
bool row_is_complete(const struct tenant_row *);
/* Row 0 of a result of row_select() or row_claim(). False when it cannot be read, or the sealed
 * password does not open (err says which). *out then holds the plain password: the caller wipes
 * it. */
bool row_read(const struct pg_result *, const char *id, const struct seal *, struct tenant_row *out,
    struct err *);
/* "tenant:<id>": what a password in the catalog is sealed to. */
void row_seal_context(char out[TENANT_KEY_SIZE], const char *id);
/* The tenant's password, sealed to its id, in place of what out holds; false when that is too
 * small. */
bool row_seal(const struct seal *, const struct tenant *, struct buf *out);

/* Operations on the catalog; all strings are borrowed until the wait is over, *out is the caller's
 * to pg_clear(). They wake plainly: row_check() or catalog_check() look at the result. */
enum flow_rc row_select(struct flow *, struct catalog *, const char *id, struct pg_result *)
    __attribute__((warn_unused_result));

struct row_claim {
	const char *id, *attempt, *provider; /* borrowed */
	const char *region;		     /* borrowed; NULL: the provider has none */
	const char *project_name;	     /* borrowed */
	char lease_ms[24];		     /* decimal: how long the lease is from now */
};
/* Takes the row for the attempt if there is none, it has failed (and what the provider refused may
 * be asked for again), or its lease has run out. One row
 * (as row_read() takes it) when it is ours now; none when another has it, or it is ready or
 * suspended. */
enum flow_rc row_claim(struct flow *, struct catalog *, const struct row_claim *,
    struct pg_result *) __attribute__((warn_unused_result));
/* Moves lease_until on. No row changed: the attempt has lost the row. */
enum flow_rc row_renew(struct flow *, struct catalog *, const struct row_claim *,
    struct pg_result *) __attribute__((warn_unused_result));
/* The fence before a creation: writes posted_at, and so proves that the row is still ours. Whoever
 * reads it later knows that a creation may be under way. */
enum flow_rc row_mark_posted(struct flow *, struct catalog *, const char *id, const char *attempt,
    struct pg_result *) __attribute__((warn_unused_result));
/* All that the provider gave, in one write, which clears posted_at: either the row tells how to
 * connect, or it tells that the outcome is open. port: decimal; sealed: the password, sealed. */
enum flow_rc row_save(struct flow *, struct catalog *, const struct tenant_row *, const char *port,
    const char *sealed, struct pg_result *) __attribute__((warn_unused_result));
/* What an attempt that goes on waits for, in last_error, for operators. The result need not be
 * looked at. */
enum flow_rc row_tell(struct flow *, struct catalog *, const struct tenant_row *, const char *what,
    struct pg_result *) __attribute__((warn_unused_result));
/* The last write of a good attempt; gives the lease back. schema_version: decimal. Its row has what
 * may have been changed meanwhile: plan, requests_per_minute, settings, token_generation, which
 * row_read_limits() takes. */
enum flow_rc row_ready(struct flow *, struct catalog *, const struct tenant_row *,
    const char *schema_version, struct pg_result *) __attribute__((warn_unused_result));
void row_read_limits(const struct pg_result *, struct tenant_row *);
/* The last write of a failed attempt; gives the lease back, and keeps what was saved. */
struct row_failure {
	const char *why;      /* borrowed */
	char wait_s[12];      /* decimal: no attempt is made before that; "0" for at once */
	char asked_s[12];     /* decimal: of that, what Neon has asked for */
	char refusals[12];    /* decimal: the row's */
	bool keep_posted;     /* the outcome of a creation is still unknown */
	bool forget_password; /* it did not open the database */
};
enum flow_rc row_fail(struct flow *, struct catalog *, const struct tenant_row *,
    const struct row_failure *, struct pg_result *) __attribute__((warn_unused_result));

/* What the column last_error says of a failure: its detail, and on a second line its cause, which
 * operators read and tenants never hear. */
void row_error_write(char *out, size_t size, const struct err *);
/* The same again as a failure. A text of one line, or none, is somebody else's: that is the cause,
 * and the detail is `otherwise`. */
void row_error_read(const char *last_error, enum err_code, const char *otherwise, struct err *);

/*
 * Of a ready tenant whose database refused the login (address_check.c). row_recheck(): one row, as
 * row_read() takes it, when the provider may be asked for its address now; none when it was not
 * retry_ms (decimal) ago yet, longer after each time that was of no use. Counted by this statement.
 */
enum flow_rc row_recheck(struct flow *, struct catalog *, const char *id, const char *retry_ms,
    struct pg_result *) __attribute__((warn_unused_result));
/* What the provider says now, if the row is still of that project. port and sealed: as row_save().
 * No row changed: it is not. */
enum flow_rc row_readdress(struct flow *, struct catalog *, const struct tenant_row *,
    const char *port, const char *sealed, struct pg_result *) __attribute__((warn_unused_result));
/* Why it was of no use: the column last_error of a row that is ready. */
enum flow_rc row_note(struct flow *, struct catalog *, const char *id, const char *last_error,
    struct pg_result *) __attribute__((warn_unused_result));

/* Of a ready tenant whose database is brought up to date (upgrade.c); borrowed, numbers decimal.
 * lease_s: seconds. row_upgrade_claim(): a row, with the version that the database is at, when the
 * work is the attempt's; none when it has that version, is another's, or is to rest. */
struct row_upgrade {
	const char *id, *attempt_id, *version, *lease_s;
};
enum flow_rc row_upgrade_claim(struct flow *, struct catalog *, const struct row_upgrade *,
    struct pg_result *) __attribute__((warn_unused_result));
enum flow_rc row_upgrade_done(struct flow *, struct catalog *, const struct row_upgrade *,
    struct pg_result *) __attribute__((warn_unused_result));
/* Nobody tries for lease_s from now. why: the column last_error. is_in_doubt: the same as
 * row_upgrade_doubt() does. */
enum flow_rc row_upgrade_failed(struct flow *, struct catalog *, const struct row_upgrade *,
    const char *why, bool is_in_doubt, struct pg_result *) __attribute__((warn_unused_result));
/* The database is older than its row says. */
enum flow_rc row_upgrade_doubt(struct flow *, struct catalog *, const char *id, struct pg_result *)
    __attribute__((warn_unused_result));

/* FLOW_NEXT when the statement changed the row. ERR_PROVISIONING when another attempt has it,
 * ERR_CATALOG when the statement failed; what: for the log, "tenant ready". */
enum flow_rc row_check(struct flow *, const struct pg_result *, const char *what)
    __attribute__((warn_unused_result));

#endif
