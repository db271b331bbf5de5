/* SPDX-License-Identifier: MIT */
/*
 * index_look: see the header. A row for each index that may be ours, by its name, or one row
 * without. The count of the tail stops where the rule knows enough (index_rule.h).
 *
 * Whoever builds or drops an index CONCURRENTLY has the table locked against others who would, from
 * the beginning to the end: so a build is seen whose builder's lease is over. VACUUM and ANALYZE
 * have that lock too; they are waited for.
 */
#include "retrieval/index_look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/embeddings_copy.h"
#include "retrieval/sketch.h"

enum look_column {
	LOOK_INDEXED_TO,
	LOOK_INDEX_NAME,
	LOOK_INDEX_ROWS,
	LOOK_INDEX_BYTES,
	LOOK_IS_HELD,
	LOOK_DIMENSIONS,
	LOOK_SCHEMA,
	LOOK_VERSION,
	LOOK_ROWS,
	LOOK_TAIL,
	LOOK_LAST_ID,
	LOOK_HAS_EMBEDDINGS,
	LOOK_SKETCHED_OF,
	LOOK_SKETCHED_TO,
	LOOK_NAME,
	LOOK_IS_VALID,
	LOOK_BYTES,
};

#define ALL_CHUNKS "SELECT coalesce(pg_catalog.sum(chunks), 0)::bigint FROM public.document"

#define LOOK_BEGIN \
	"SELECT r.indexed_to, r.index_name, r.index_rows, r.index_bytes," \
	" coalesce(r.merger_until" PG_ABOVE PG_NOW " AND r.merger" PG_DIFFERS "$1, false)" \
	" OR EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d" \
	"  ON d.oid" PG_EQUALS "l.database WHERE d.datname" PG_EQUALS \
	"pg_catalog.current_database()" \
	"  AND l.relation" PG_EQUALS "a.attrelid AND l.mode" PG_EQUALS \
	"'ShareUpdateExclusiveLock'" \
	"  AND l.granted AND l.pid" PG_DIFFERS "pg_catalog.pg_backend_pid())," \
	" a.atttypmod, pg_catalog.quote_ident(n.nspname), e.extversion," \
	" (" ALL_CHUNKS ")," \
	" (SELECT pg_catalog.count(*) FROM (SELECT FROM public.chunk t WHERE t.tail" \
	"  AND t.id" PG_ABOVE "r.indexed_to LIMIT (SELECT greatest(101, (" ALL_CHUNKS \
	"  ) OPERATOR(pg_catalog./) 4" PG_PLUS "1))) AS behind)," \
	" (SELECT coalesce(pg_catalog.max(id), 0) FROM public.chunk),"
#define LOOK_END \
	" i.relname, x.indisvalid, pg_catalog.pg_relation_size(i.oid)" \
	" FROM public.retrieval r" \
	" JOIN pg_catalog.pg_attribute a ON a.attrelid" PG_EQUALS \
	"'public.chunk'::pg_catalog.regclass::pg_catalog.oid AND a.attname" PG_EQUALS \
	"'embedding'" \
	" JOIN pg_catalog.pg_extension e ON e.extname" PG_EQUALS "'vector'" \
	" JOIN pg_catalog.pg_namespace n ON n.oid" PG_EQUALS "e.extnamespace" \
	" LEFT JOIN (pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid" PG_EQUALS \
	"x.indexrelid) ON x.indrelid" PG_EQUALS "a.attrelid AND (i.relname" PG_EQUALS \
	"'chunk_embedding' OR i.relname OPERATOR(pg_catalog.~) " \
	"'^chunk_(halfvec|vector)_[1-9][0-9]*$')" \
	" WHERE r.one ORDER BY (i.relname::pg_catalog.text" PG_EQUALS \
	"r.index_name) DESC NULLS LAST" \
	" LIMIT 8"

static const char look_before[] = LOOK_BEGIN " false, 0, 0," LOOK_END;
static const char look_sketches[] = LOOK_BEGIN " false, r.sketched_of, r.sketched_to," LOOK_END;
static const char look_copied[] =
    LOOK_BEGIN EMBEDDINGS_ARE_DUE ", r.sketched_of, r.sketched_to," LOOK_END;

const char *
index_look_statement(int schema_version)
{
	if (schema_version >= RETRIEVAL_SCHEMA_COPIED)
		return look_copied;
	return sketch_is_kept(schema_version) ? look_sketches : look_before;
}

static uint64_t
look_number(const struct pg_result *r, unsigned row, enum look_column column)
{
	return strtoull(pg_text(r, row, column), NULL, 10);
}

static void
look_text(char *out, size_t size, const struct pg_result *r, unsigned row, enum look_column column)
{
	snprintf(out, size, "%s", pg_text(r, row, column));
}

/* "0.8.2" and "0.8" as 802 and 800. */
static unsigned
version_number(const char *text)
{
	unsigned part[3] = { 0 };

	if (sscanf(text, "%3u.%2u.%2u", &part[0], &part[1], &part[2]) < 2)
		return 0;
	return part[0] * 10000 + part[1] * 100 + part[2];
}

static void
look_indexes(const struct pg_result *r, struct index_state *s)
{
	for (unsigned i = 0; i < pg_rows(r) && i < INDEX_SEEN_MAX; i++) {
		struct index_seen *seen = &s->seen[s->seen_count];

		if (pg_value(r, i, LOOK_NAME).p == NULL)
			continue;
		look_text(seen->name, sizeof(seen->name), r, i, LOOK_NAME);
		seen->is_valid = pg_text(r, i, LOOK_IS_VALID)[0] == 't';
		seen->bytes = look_number(r, i, LOOK_BYTES);
		s->seen_count++;
	}
}

bool
index_look_read(const struct pg_result *r, int schema_version, struct index_look *look)
{
	struct index_state *s = &look->state;

	*look = (struct index_look){ .is_held = false };
	if (pg_rows(r) == 0)
		return false;
	look->is_held = pg_text(r, 0, LOOK_IS_HELD)[0] == 't';
	s->indexed_to = (int64_t)look_number(r, 0, LOOK_INDEXED_TO);
	look_text(s->index_name, sizeof(s->index_name), r, 0, LOOK_INDEX_NAME);
	s->index_rows = look_number(r, 0, LOOK_INDEX_ROWS);
	s->index_bytes = look_number(r, 0, LOOK_INDEX_BYTES);
	s->column.dimensions = (unsigned)look_number(r, 0, LOOK_DIMENSIONS);
	look_text(s->column.schema, sizeof(s->column.schema), r, 0, LOOK_SCHEMA);
	s->column.version = version_number(pg_text(r, 0, LOOK_VERSION));
	s->rows = look_number(r, 0, LOOK_ROWS);
	s->tail = look_number(r, 0, LOOK_TAIL);
	s->last_id = (int64_t)look_number(r, 0, LOOK_LAST_ID);
	s->has_embeddings = pg_text(r, 0, LOOK_HAS_EMBEDDINGS)[0] == 't';
	s->has_sketches = sketch_is_kept(schema_version) && sketch_serves(&s->column);
	s->sketched_of = (int64_t)look_number(r, 0, LOOK_SKETCHED_OF);
	s->sketched_to = (int64_t)look_number(r, 0, LOOK_SKETCHED_TO);
	look_indexes(r, s);
	return true;
}
