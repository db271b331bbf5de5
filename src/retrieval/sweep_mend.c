/* SPDX-License-Identifier: MIT */
/*
 * sweep_mend: see the header.
 */
#include "retrieval/sweep_mend.h"

#include <stdlib.h>
#include <string.h>

#include "retrieval/document_owner.h"
#include "retrieval/embeddings_copy.h"

#define UNDEFINED_COLUMN "42703"

/* What a tenant's database holds may have been written by others: texts are cut to what our own
 * have, and times that no list could show are not taken. */
#define READ_STORED(columns) \
	"SELECT coalesce(pg_catalog.json_agg(d), '[]')::pg_catalog.text FROM (" \
	"SELECT id, pg_catalog.left(title, 512) AS title," \
	" pg_catalog.left(file_name, 255) AS file_name," \
	" pg_catalog.left(mime_type, 127) AS mime_type," \
	" CASE WHEN pg_catalog.octet_length(metadata::pg_catalog.text)" PG_AT_MOST "32768" \
	" THEN metadata ELSE '{}' END AS metadata, pg_catalog.left(sha256, 64) AS sha256," \
	" greatest(bytes, 0) AS bytes, greatest(pages, 0) AS pages," \
	" greatest(chunks, 0) AS chunks," \
	" CASE WHEN created_at" PG_ABOVE "'1970-01-01Z'::pg_catalog.timestamptz" \
	" AND created_at" PG_BELOW "'2255-01-01Z'::pg_catalog.timestamptz" \
	" THEN " PG_RFC3339("created_at") " END AS created_at" columns \
					  " FROM public.document WHERE id" PG_EQUALS \
					  "ANY ($1::pg_catalog.text[])) AS d"

static const char read_plainly[] = READ_STORED("");
static const char read_with_owner[] =
    READ_STORED(", " OWNER_STORED("") " AS owner_id, " EXPIRY_STORED("") " AS expires_at");

enum flow_rc
sweep_read_stored(struct flow *f, struct pool_lease *lease, int schema_version, const char *ids,
    struct pg_result *out)
{
	const struct pg_query q = {
		.sql = document_has_owner(schema_version) ? read_with_owner : read_plainly,
		.params = { PG_TEXT(ids) },
		.param_count = 1,
	};

	return pool_read(f, lease, &q, out);
}

bool
document_lacks_owner(const struct pg_result *r, int *schema_version)
{
	bool lacks = r->status == PG_SQL_ERROR && document_has_owner(*schema_version) &&
	    strcmp(r->failure.sqlstate, UNDEFINED_COLUMN) == 0;

	if (lacks)
		*schema_version = 0;
	return lacks;
}

enum flow_rc
sweep_look_for_copy(struct flow *f, struct pool_lease *lease, struct pg_result *out)
{
	static const struct pg_query q = {
		.sql =
		    "SELECT 1 FROM public.retrieval r JOIN pg_catalog.pg_attribute a"
		    " ON a.attrelid" PG_EQUALS "'public.chunk'::pg_catalog.regclass::pg_catalog.oid"
		    " AND a.attname" PG_EQUALS "'embedding' WHERE " EMBEDDINGS_ARE_LEFT,
	};

	return pool_read(f, lease, &q, out);
}

/* $2, $3: the page's ids and times; $4: which of them are stored, and as what. */
#define PAGE \
	"page AS (SELECT p.id, p.seen::pg_catalog.timestamptz AS seen FROM ROWS FROM (" \
	"pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[]))" \
	" AS p(id, seen))"
#define STORED \
	"stored AS (SELECT * FROM pg_catalog.json_to_recordset($4::pg_catalog.json)" \
	" AS d(id pg_catalog.text, title pg_catalog.text, file_name pg_catalog.text," \
	" mime_type pg_catalog.text, metadata pg_catalog.jsonb, sha256 pg_catalog.text," \
	" bytes bigint, pages int, chunks int, created_at pg_catalog.text," \
	" owner_id pg_catalog.text, expires_at pg_catalog.text))"
#define ROW_AS_SEEN \
	" row.user_id" PG_EQUALS "$1 AND row.document_id" PG_EQUALS "page.id" \
	" AND row.updated_at" PG_EQUALS "page.seen"
#define OF_STORED " FROM page JOIN stored AS d ON d.id" PG_EQUALS "page.id"

/* Of a document of an app's own catalog (documents_adopt.c) whose chunks were copied from the app's
 * table (embeddings_copy.h): the list alone knows what it is called, and since when it is there. */
#define LIST_NAMES \
	"(row.is_adopted AND d.sha256" PG_EQUALS "'' AND d.title" PG_EQUALS \
	"d.id AND d.file_name" PG_EQUALS "'' AND (row.title" PG_DIFFERS \
	"d.title OR row.file_name" PG_DIFFERS "''))"
#define NAMED(column) "CASE WHEN " LIST_NAMES " THEN row." column " ELSE d." column " END"
/* One whose chunks have not been copied yet. */
#define IS_TO_COME "row.is_adopted AND row.chunks" PG_EQUALS "0"

#define NEVER		  "'infinity'::pg_catalog.timestamptz"
#define TIME_TO_BE	  LIST_EXPIRY("d.expires_at", "row.expires_at")
#define SAME(column)	  " AND row." column PG_EQUALS "d." column
#define SAME_NAME(column) " AND row." column PG_EQUALS NAMED(column)
#define TIME_OF_BIRTH \
	"CASE WHEN " LIST_NAMES " OR d.created_at IS NULL THEN row.created_at" \
	" ELSE d.created_at::pg_catalog.timestamptz END"
#define ROW_IS_RIGHT \
	"row.status" PG_EQUALS "'ready' AND coalesce(row.sha256, '')" PG_EQUALS \
	"d.sha256" SAME_NAME("title") SAME_NAME("file_name") SAME("mime_type") SAME("metadata") \
	    SAME("bytes") SAME("pages") SAME("chunks") " AND " PG_RFC3339("row.created_at") \
		PG_EQUALS PG_RFC3339("(" TIME_OF_BIRTH \
				     ")") " AND coalesce(row.owner_id, '')" PG_EQUALS \
					  "coalesce(" LIST_OWNER( \
					      "d.owner_id") ", '')" \
							    " AND coalesce(row.expires_at, " NEVER \
							    ")" PG_EQUALS "coalesce(" TIME_TO_BE \
							    ", " NEVER ")"

/* What the list says of the stored time is not told anybody: such rows are not counted. */
#define STORED_TIME " stored_expires_at = " LIST_STORED_EXPIRY("d.expires_at")
#define STORED_TIME_IS_RIGHT \
	"coalesce(row.stored_expires_at" PG_EQUALS EXPIRY_GIVEN( \
	    "d.expires_at") ", d.expires_at IS NULL)"

/* Nothing is told where the list knows no more than that nothing is known. */
#define TIME_IS_UNTOLD \
	"(d.expires_at IS NULL AND row.expires_at IS NOT NULL OR " LIST_IS_AHEAD \
	" AND coalesce(row.expires_at, " NEVER ")" PG_DIFFERS EXPIRY_GIVEN("d.expires_at") ")"
#define UNTOLD \
	"SELECT row.document_id AS id, d.created_at, d.expires_at AS was," \
	" CASE WHEN d.owner_id IS NULL THEN row.owner_id END AS owner_id," \
	" CASE WHEN " TIME_IS_UNTOLD " THEN coalesce(" PG_RFC3339( \
	    "row.expires_at") ", '') END" \
			      " AS expires_at," \
			      " CASE WHEN " LIST_NAMES " THEN row.title END AS title," \
			      " CASE WHEN " LIST_NAMES " THEN row.file_name END AS file_name," \
			      " CASE WHEN " LIST_NAMES " THEN " PG_RFC3339( \
				  "row.created_at") " END AS born_at" OF_STORED \
						    " JOIN public.documents AS row " \
						    "ON " ROW_AS_SEEN \
						    " WHERE d.owner_id IS NULL AND row.owner_id " \
						    "IS NOT NULL " \
						    "OR " TIME_IS_UNTOLD " OR " LIST_NAMES

static const char mend_rows[] =
    "WITH " PAGE ", " STORED ","
    " gone AS (DELETE FROM public.documents AS row USING page WHERE" ROW_AS_SEEN
    " AND NOT EXISTS (SELECT 1 FROM stored WHERE stored.id" PG_EQUALS
    "page.id) AND NOT (" IS_TO_COME ") RETURNING 1),"
    " mended AS (UPDATE public.documents AS row SET status = 'ready', attempt = NULL,"
    " reason = NULL, title = " NAMED("title") ", file_name = " NAMED(
	"file_name") ", mime_type = d.mime_type,"
		     " metadata = d.metadata, sha256 = d.sha256, bytes = d.bytes, pages = d.pages,"
		     " chunks = d.chunks, updated_at = " PG_NOW ", created_at = " TIME_OF_BIRTH
		     ", owner_id = " LIST_OWNER(
			 "d.owner_id") ", expires_at = " TIME_TO_BE "," STORED_TIME OF_STORED
				       " WHERE" ROW_AS_SEEN " AND NOT (" ROW_IS_RIGHT
				       ") RETURNING 1),"
				       " noted AS (UPDATE public.documents AS row SET" STORED_TIME
					   OF_STORED " WHERE" ROW_AS_SEEN " AND " ROW_IS_RIGHT
				       " AND NOT " STORED_TIME_IS_RIGHT "),"
				       " untold AS (" UNTOLD ")"
				       " SELECT (SELECT pg_catalog.count(*) FROM gone), (SELECT "
				       "pg_catalog.count(*) "
				       "FROM mended),"
				       " (SELECT pg_catalog.json_agg(untold)::pg_catalog.text FROM "
				       "untold)";

enum flow_rc
sweep_mend_rows(struct flow *f, struct catalog *c, const char *tenant, const char *ids,
    const char *seen, const char *stored, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = mend_rows,
		.params = { PG_TEXT(tenant), PG_TEXT(ids), PG_TEXT(seen), PG_TEXT(stored) },
		.param_count = 4,
	};

	return catalog_run(f, c, CATALOG_DOCUMENTS, slice_str(tenant), &q, out);
}

struct mended_page
sweep_mended_page(const struct pg_result *r)
{
	return (struct mended_page){ .gone = strtoul(pg_text(r, 0, 0), NULL, 10),
		.mended = strtoul(pg_text(r, 0, 1), NULL, 10),
		.untold = pg_value(r, 0, 2).p };
}

/* Not what was stored or changed since it was read: whoever has done so has written both. */
static const char tell_stored[] =
    "UPDATE public.document AS d SET owner_id = coalesce(d.owner_id, t.owner_id),"
    " title = coalesce(t.title, d.title), file_name = coalesce(t.file_name, d.file_name),"
    " created_at = coalesce(t.born_at::pg_catalog.timestamptz, d.created_at),"
    " expires_at = coalesce(" EXPIRY_GIVEN(
	"t.expires_at") ", d.expires_at)"
			" FROM pg_catalog.json_to_recordset($1::pg_catalog.json) AS t(id "
			"pg_catalog.text,"
			" created_at pg_catalog.text, was pg_catalog.text, owner_id "
			"pg_catalog.text,"
			" expires_at pg_catalog.text, title pg_catalog.text,"
			" file_name pg_catalog.text, born_at pg_catalog.text) WHERE d.id" PG_EQUALS
			"t.id"
			" AND " PG_RFC3339("d.created_at") PG_EQUALS
    "t.created_at"
    " AND coalesce(" EXPIRY_STORED("d.") ", '-')" PG_EQUALS "coalesce(t.was, '-')";

enum flow_rc
sweep_tell(struct flow *f, struct pool_lease *lease, const char *untold, struct pg_result *out)
{
	const struct pg_query q = {
		.sql = tell_stored,
		.params = { PG_TEXT(untold) },
		.param_count = 1,
	};

	return pool_read(f, lease, &q, out);
}
