/* SPDX-License-Identifier: MIT */
/*
 * document_list: the catalog's list of a tenant's documents, read. documents.c writes it.
 *
 * A page is found by its key (created_at, document_id), as the index documents_newest has them, so
 * a page costs the same wherever it begins, and what is stored meanwhile shifts none.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieval/pg_binary.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/wire/pg_sql.h"

/* In this order in both statements; documents_row() reads them by number. */
enum list_column {
	TOTAL,
	ID,
	TITLE,
	FILE_NAME,
	MIME_TYPE,
	METADATA,
	SHA256,
	BYTES,
	PAGES,
	CHUNKS,
	CREATED_AT,
	STATUS,
	REASON,
	CREATED_US,
	EXPIRES_AT,
	OWNER,
};

#define COLUMNS \
	"document_id, title, file_name, mime_type, metadata, sha256, bytes, pages, " \
	"chunks, " PG_RFC3339("created_at") " AS created_text, status, reason," \
					    " (extract(epoch FROM created_at)" PG_TIMES \
					    "1000000)::bigint AS created_us, " PG_RFC3339( \
						"expires_at") " AS expires_text, owner_id"

/* Of the first page, for it begins behind no row: the year 2255. */
#define FIRST_US "9000000000000000"

/* Of one tenant; a failed document is kept for a day, one whose time is over is not shown. */
#define OF_TENANT \
	" FROM public.documents WHERE user_id" PG_EQUALS "$1" \
	" AND (status" PG_DIFFERS "'failed'" \
	" OR updated_at" PG_ABOVE "(" PG_NOW PG_MINUS "interval '1 day'))" \
	" AND (expires_at IS NULL OR expires_at" PG_ABOVE PG_NOW ")"

#define OF_FILTERS \
	" AND ($2" PG_EQUALS "'' OR status" PG_EQUALS "$2)" \
	" AND ($6::pg_catalog.text IS NULL OR owner_id" PG_EQUALS "$6)"

#define AFTER_TIME \
	"('epoch'::pg_catalog.timestamptz" PG_PLUS "($3::bigint" PG_TIMES \
	"interval '1 microsecond'))"

/* The total is there when the page is empty, too: then in a row that has no document. */
static const char list_page[] =
    "SELECT * FROM (SELECT pg_catalog.count(*)" OF_TENANT OF_FILTERS ") AS total"
    " LEFT JOIN LATERAL (SELECT " COLUMNS OF_TENANT OF_FILTERS
    " AND created_at" PG_AT_MOST AFTER_TIME " AND (created_at" PG_BELOW AFTER_TIME
    " OR document_id" PG_ABOVE "$4)"
    " ORDER BY created_at DESC, document_id LIMIT $5::bigint) AS page ON true"
    " ORDER BY created_us DESC, document_id";

static const char get_one[] = "SELECT 0, " COLUMNS OF_TENANT " AND document_id" PG_EQUALS "$2"
			      " AND ($3::pg_catalog.text IS NULL OR owner_id" PG_EQUALS "$3)";

enum flow_rc
documents_list(struct flow *f, struct catalog *c, const char *tenant,
    const struct documents_page *page, struct pg_result *out)
{
	char *limit = arena_printf(f->arena, "%u", page->limit + 1);
	const char *after = page->after_us[0] == '\0' ? FIRST_US : page->after_us;
	const struct pg_query q = {
		.sql = list_page,
		.params = { PG_TEXT(mutated(MUTATION_DOCUMENT_LIST, tenant)), PG_TEXT(page->status),
		    PG_TEXT(after), PG_TEXT(page->after_id), PG_TEXT(limit), PG_TEXT(page->owner) },
		.param_count = 6,
	};

	assert(page->limit > 0 && page->limit <= DOCUMENTS_PAGE_MAX);
	if (limit == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the list of documents");
	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

enum flow_rc
documents_get(struct flow *f, struct catalog *c, const char *tenant, const char *id,
    const char *owner, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = get_one,
		.params = { PG_TEXT(mutated(MUTATION_DOCUMENT_GET, tenant)), PG_TEXT(id),
		    PG_TEXT(owner) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

unsigned
documents_count(const struct pg_result *r)
{
	unsigned rows = pg_rows(r);

	return rows == 1 && pg_value(r, 0, ID).p == NULL ? 0 : rows;
}

uint64_t
documents_total(const struct pg_result *r)
{
	return strtoull(pg_text(r, 0, TOTAL), NULL, 10);
}

void
documents_row(const struct pg_result *r, unsigned row, struct listed_document *out)
{
	*out = (struct listed_document){
		.document = { .id = pg_text(r, row, ID),
		    .title = pg_text(r, row, TITLE),
		    .file_name = pg_text(r, row, FILE_NAME),
		    .mime_type = pg_text(r, row, MIME_TYPE),
		    .owner = pg_value(r, row, OWNER).p,
		    .metadata = pg_text(r, row, METADATA),
		    .sha256 = pg_text(r, row, SHA256),
		    .bytes = strtoull(pg_text(r, row, BYTES), NULL, 10),
		    .pages = (unsigned)strtoul(pg_text(r, row, PAGES), NULL, 10),
		    .chunks = (unsigned)strtoul(pg_text(r, row, CHUNKS), NULL, 10),
		    .created_at = pg_text(r, row, CREATED_AT),
		    .expires_at = pg_text(r, row, EXPIRES_AT) },
		.status = pg_text(r, row, STATUS),
		.reason = pg_text(r, row, REASON),
		.created_us = pg_text(r, row, CREATED_US),
	};
}
