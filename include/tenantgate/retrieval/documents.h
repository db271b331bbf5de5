/* SPDX-License-Identifier: MIT */
/*
 * retrieval/documents: the catalog's list of a tenant's documents, and what becomes of one: it is
 * stored, changed, deleted, read in parts. Part of retrieval.h, whose head says what holds for all:
 * operations of a flow, on its worker.
 */
#ifndef TENANTGATE_RETRIEVAL_DOCUMENTS_H
#define TENANTGATE_RETRIEVAL_DOCUMENTS_H

#include "tenantgate/retrieval.h"

/* ---- the catalog's list of documents ---- */
/* How much a tenant may have stored; 0: as much as it likes. */
struct document_quota {
	uint64_t	max_documents;
	uint64_t	max_bytes;	/* of the originals together */
};

enum document_admission { DOCUMENT_ADMITTED, DOCUMENT_TOO_MANY, DOCUMENT_STORAGE_FULL,
	DOCUMENT_IS_STORED, DOCUMENT_BEING_STORED };

/* On which terms a document may be stored. */
struct document_terms {
	struct document_quota	quota;
	bool			if_new;		/* not when its owner has the same bytes already */
	enum document_admission	admission;	/* what documents_begin() has found */
};
/* Sets why it is not admitted: ERR_TOO_MANY_DOCUMENTS, ERR_STORAGE_FULL, or ERR_CONFLICT while the
 * same bytes are being stored. Nothing for one that is stored. */
void		document_terms_refuse(const struct document_terms *, struct err *);

/* The tenant's document that has the digest and the owner of `wanted`, and is ready: of several the
 * one of its id, or else the oldest. Strings are in the flow's arena. Fails as catalog_check(). */
enum flow_rc	documents_find_equal(struct flow *, struct catalog *, const char *tenant,
		    const struct document *wanted, struct document *found, bool *is_found)
		    __attribute__((warn_unused_result));

/* Intent before anything is stored, then the outcome. On terms (NULL: none) it is written only when
 * they hold, whatever other requests and replicas write at the same time: then the admission says
 * DOCUMENT_ADMITTED, else no row is changed. What is there, or on its way, counts; what has failed
 * or is being deleted does not; a document that is replaced counts once. The tenant is part of
 * every key: an id is one tenant's own. The owner is whoever stored it first, and stays so when it
 * is replaced. Fail with ERR_CATALOG; with ERR_CONFLICT and retry_after while the document is being
 * deleted: then it is to be reconciled. */
enum flow_rc	documents_begin(struct flow *, struct catalog *, const char *tenant,
		    const struct document *, const char *attempt, struct document_terms *)
		    __attribute__((warn_unused_result));
/* attempt: as in documents_begin(), "" when there was none, for the document was stored before.
 * *in_doubt: somebody else has changed the row meanwhile (it was deleted, or stored once more), and
 * it is to be reconciled. The document's owner and expires_at become the row's. */
enum flow_rc	documents_ready(struct flow *, struct catalog *, const char *tenant,
		    struct document *, const char *attempt, bool *in_doubt)
		    __attribute__((warn_unused_result));
#define DOCUMENT_ATTEMPT_LEN	20	/* characters of an attempt: random, the ingest's own */
/* Takes the intent back, when nothing was stored; a document that was there before is 'ready'
 * again, another is 'failed' for the given reason, and kept for a day. Runs in the background, with
 * copies of all it is given; logs its own failure. */
void		documents_undo(struct worker *, struct catalog *, const char *tenant,
		    const char *document_id, const char *attempt, const char *reason);
/* A document was refused before there was an intent: it is listed as 'failed' with the reason, for
 * a day, unless there is one of its id that has not failed. In the background, too. */
void		documents_failed(struct worker *, struct catalog *, const char *tenant,
		    const struct document *, const char *reason);

/* ---- a document's deletion: store_find, mark, store_delete, drop; each may be repeated ---- */
/* What is stored under an id at one time; both "" for nothing. Borrowed until a wait is over. */
struct document_version {
	const char	*sha256;
	const char	*created_at;	/* as in struct document */
};

/* Each as catalog_run(), or pool_read(): *out is for catalog_check() or pg_check(), and the
 * caller's to pg_clear(). The mark has changed no row where the tenant has no such document.
 * store_delete() erases that version alone; store_has_another() tells, of its PG_OK result, whether
 * another has taken its place. Then documents_drop() keeps the row, which is to be reconciled. */
enum flow_rc	documents_mark(struct flow *, struct catalog *, const char *tenant, const char *id,
		    const struct document_version *, struct pg_result *out)
		    __attribute__((warn_unused_result));
enum flow_rc	store_delete(struct flow *, struct pool_lease *, const char *id,
		    const struct document_version *, struct pg_result *out)
		    __attribute__((warn_unused_result));
bool		store_has_another(const struct pg_result *);
enum flow_rc	documents_drop(struct flow *, struct catalog *, const char *tenant, const char *id,
		    const struct document_version *, bool has_another, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* A tenant's documents whose time is over are deleted, a page at a time. *next_us: until the next
 * one's is; UINT64_MAX: none has one. A failure is in *why, and not the flow's. All is borrowed
 * until the wait is over. */
enum flow_rc	documents_expire(struct flow *, struct catalog *, struct pools *,
		    const struct pool_target *, const char *tenant, uint64_t *next_us,
		    struct err *why) __attribute__((warn_unused_result));

/* ---- a document's change: claim, store_change, store_find, ready ---- */
struct document_change {
	const char	*title;		/* each NULL where it stays */
	const char	*file_name;
	const char	*metadata;	/* JSON object text */
	const char	*expires_at;	/* as in struct document */
};

enum document_claim { DOCUMENT_ABSENT, DOCUMENT_BUSY, DOCUMENT_CLAIMED };

/* The listed row is the attempt's when it was 'ready'. As documents_mark(); documents_claimed()
 * tells what came of it, of a PG_OK result. */
enum flow_rc	documents_claim(struct flow *, struct catalog *, const char *tenant, const char *id,
		    const char *attempt, struct pg_result *out) __attribute__((warn_unused_result));
enum document_claim	documents_claimed(const struct pg_result *);
/* In the tenant's database; no row changed: there is no such document. As pool_read(). */
enum flow_rc	store_change(struct flow *, struct pool_lease *, const char *id,
		    const struct document_change *, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* ---- a document's chunks ---- */
/* Those of the tenant's database past the index `after` (-1: all), in order, at most `limit`:
 * columns chunk_index, page, content and the document's count of chunks. No row: no such document;
 * one with a null index: no more chunks. As pool_read(). */
enum flow_rc	store_chunks(struct flow *, struct pool_lease *, const char *id, int after,
		    unsigned limit, struct pg_result *out) __attribute__((warn_unused_result));

/* Rows that have been 'ingesting' for `stale_us` or longer, or are 'deleting' (of one document,
 * unless `only` is ""), become what the tenant's database says; what is deleted goes from there.
 * Runs in the background, with copies of all it is given; logs its own failure. */
void		documents_reconcile(struct worker *, struct catalog *, struct pools *,
		    const struct pool_target *, const char *tenant, const char *only,
		    uint64_t stale_us);

/* Compares all of the tenant's list with its database, both ways, a page at a time, and mends the
 * list (retrieval/sweep.c), unless a replica has begun to do so within the interval. `running`: how
 * many are under way in this process, DOCUMENTS_SWEEPS_MAX at most; borrowed until the end. False:
 * none was started. In the background, with copies of all else; logs its own failure. */
#define DOCUMENTS_SWEEPS_MAX	4
bool		documents_sweep(struct worker *, struct catalog *, struct pools *,
		    const struct pool_target *, const char *tenant, uint64_t interval_us,
		    atomic_uint *running) __attribute__((warn_unused_result));

/* ---- what is read of that list ---- */
#define DOCUMENTS_PAGE_MAX	100

/* A row; strings are borrowed from the result it was read of. */
struct listed_document {
	struct document	 document;	/* sha256 "" until it was ready once */
	const char	*status;	/* "ingesting", "ready", "failed" or "deleting" */
	const char	*reason;	/* of a failed one: a sentence; else "" */
	const char	*created_us;	/* its created_at in microseconds since 1970, in decimal */
};

/* A page begins behind the row of these two, which are a listed_document's created_us and id. */
struct documents_page {
	const char	*after_us;	/* "" for the first page */
	const char	*after_id;
	const char	*status;	/* "" for any */
	const char	*owner;		/* "" for any */
	unsigned	 limit;		/* 1..DOCUMENTS_PAGE_MAX */
};

/* The tenant's documents, newest first (by id where two are as old), from the catalog alone: no
 * tenant's database is asked. *out is cleared first, and the caller's to pg_clear(); it is for
 * catalog_check() before it is read. One row more than the limit is there when another page
 * follows. Borrows all until the wait is over. */
enum flow_rc	documents_list(struct flow *, struct catalog *, const char *tenant,
		    const struct documents_page *, struct pg_result *out)
		    __attribute__((warn_unused_result));
/* One of them; no row where the tenant has none of that id. The same in all else. */
enum flow_rc	documents_get(struct flow *, struct catalog *, const char *tenant, const char *id,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* How many rows there are, and one of them. */
unsigned	documents_count(const struct pg_result *);
void		documents_row(const struct pg_result *, unsigned row, struct listed_document *);
/* Of all pages of documents_list() together. */
uint64_t	documents_total(const struct pg_result *);

#endif
