/* SPDX-License-Identifier: MIT */
/*
 * key_catalog: keys as the catalog has them, for operators: made, listed, revoked. Nothing here
 * tells a secret but key_create(), once, and nothing a hash.
 *
 * What is passed is borrowed until the wait is over. Operations that take a pg_result wake plainly:
 * it is for catalog_check() and key_row(), and the caller's to pg_clear(). Each may be repeated.
 */
#ifndef TENANTGATE_AUTH_KEY_CATALOG_H
#define TENANTGATE_AUTH_KEY_CATALOG_H

#include <jansson.h>

#include "tenantgate/auth.h"
#include "tenantgate/base/clock.h"

#define KEY_NOTE_MAX	256	/* bytes of UTF-8 */

/* What a key is to be. */
struct key_order {
	enum caller_kind kind;
	const char	*tenant;	/* NULL unless CALLER_TENANT; it need not exist yet */
	const char	*note;		/* NULL: none */
	unsigned	 scopes;	/* bits of key_scope.h; 0: everything, as CALLER_ADMIN */
	uint64_t	 expires_us;	/* wall clock; 0: never */
};

#define AUTH_KEY_TEXT_SIZE	(sizeof("tg__") + KEY_ID_LEN + KEY_SECRET_LEN + KEY_TAG_LEN)
struct key_made {
	char	id[KEY_ID_LEN + 1];
	char	text[AUTH_KEY_TEXT_SIZE];	/* "tg_…": the caller wipes it */
	char	created_at[CLOCK_ISO_SIZE];
	char	expires_at[CLOCK_ISO_SIZE];	/* "": never */
	char	scopes[KEY_SCOPES_SIZE];	/* as listed_key's; "": everything */
};

/* False with err set when no such key can be: ERR_INVALID_TENANT, ERR_INVALID_FIELD. */
bool		 key_order_is_valid(const struct key_order *, struct err *);
/* Fills *made once the key is in the catalog; nobody can read its text again. Fails as
 * key_order_is_valid(), with ERR_CONFLICT (the id drawn is in use: try again) or ERR_CATALOG. */
enum flow_rc	 key_create(struct flow *, struct catalog *, const struct key_order *,
		    struct key_made *) __attribute__((warn_unused_result));

/* A row; strings are borrowed from the result, NULL where there is none. Times are RFC 3339. */
struct listed_key {
	const char	*id, *kind, *tenant, *note;
	const char	*scopes;	/* "chat,search"; NULL: everything */
	const char	*state;		/* "active", "expired" or "revoked" */
	const char	*created_at, *expires_at, *last_used_at;
	const char	*revoked_at;
	const char	*created_exactly;	/* for key_page */
};

#define KEY_PAGE_MAX	1000
/* Newest first. What is NULL selects nothing. */
struct key_page {
	const char	*tenant, *kind, *note_prefix;
	const char	*after_created, *after_id;	/* of the row before, both or none */
	unsigned	 limit;		/* 1 to KEY_PAGE_MAX; one row more is read */
	char		 rows[12];	/* the statement's own */
};

enum flow_rc	 keys_list(struct flow *, struct catalog *, struct key_page *,
		    struct pg_result *out) __attribute__((warn_unused_result));
enum flow_rc	 key_describe(struct flow *, struct catalog *, const char *id,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* One row, revoked now or before; none when there is no such key. */
enum flow_rc	 key_revoke(struct flow *, struct catalog *, const char *id,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* False past the last row. */
bool		 key_row(const struct pg_result *, unsigned i, struct listed_key *);
/* A key that was just made; borrows from both. */
void		 key_made_row(const struct key_order *, const struct key_made *,
		    struct listed_key *);

/* The Redis channel (replica/drop_channel.h) by which replicas hear of revoked keys, by their id:
 * for who revokes one and is none of them. */
#define KEY_DROP_CHANNEL "tg:key:drop"

/* KEY_ID_LEN letters and digits: what may be looked up at all. */
bool		 key_id_valid(struct slice);
/* {"id","kind",…} as the README has it; the caller owns it. NULL: no memory. */
json_t		*key_json(const struct listed_key *);

#endif
