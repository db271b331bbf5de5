/* SPDX-License-Identifier: MIT */
#include "retrieval/search_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/wire/pg_sql.h"

#define VECTOR_SCHEMA \
	"SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e" \
	" JOIN pg_catalog.pg_namespace n ON n.oid" PG_EQUALS "e.extnamespace" \
	" WHERE e.extname" PG_EQUALS "'vector'"

struct search_note *
search_note_of(struct pg_conn *c)
{
	_Static_assert(sizeof(struct search_note) <= PG_NOTE_SIZE, "a note fits its place");
	return pg_conn_note(c);
}

void
search_note_forget(struct search_note *n)
{
	n->is_known = false;
	n->generation++;
	n->filters = 0;
}

bool
search_note_allows(struct search_note *n, const struct search_request *r, struct err *err)
{
	const struct vector_model asked = { r->model, r->dimensions };

	if (asked.name == NULL || vectors_are_of(n->model, n->dimensions, &asked))
		return true;
	if (r->stored != NULL) {
		r->stored->dimensions = n->dimensions;
		snprintf(r->stored->model, sizeof(r->stored->model), "%s", n->model);
	}
	vectors_refuse(n->model, n->dimensions, &asked, err);
	n->is_known = false;
	return false;
}

/* "INDEX MODEL": no index has a blank in its name. Without one there is no row to know by. */
bool
search_note_compare(struct search_note *n, const struct pg_result *r)
{
	const char *found = pg_rows(r) > 0 ? pg_text(r, 0, HIT_INDEX_NAME) : "";
	const char *blank = strchr(found, ' ');
	size_t length = strlen(n->index.name);
	bool is_same_model;

	if (blank == NULL)
		return true;
	is_same_model = strcmp(blank + 1, n->model) == 0;
	if (!is_same_model || (size_t)(blank - found) != length ||
	    memcmp(found, n->index.name, length) != 0)
		n->is_known = false;
	return is_same_model;
}

enum flow_rc
search_note_ask(struct flow *f, struct pool_lease *lease, struct pg_result *out)
{
	static const struct pg_query q = {
		.sql = "SELECT (" VECTOR_SCHEMA "), r.index_name, r.indexed_to,"
		       " r.embedding_model, r.embedding_dimensions FROM public.retrieval r WHERE "
		       "r.one",
	};

	return pool_read(f, lease, &q, out);
}

enum flow_rc
search_note_ask_schema(struct flow *f, struct pool_lease *lease, struct pg_result *out)
{
	static const struct pg_query q = { .sql = "SELECT (" VECTOR_SCHEMA "), '', 0, '', 0" };

	return pool_read(f, lease, &q, out);
}

bool
search_note_learn(struct search_note *n, const struct pg_result *r)
{
	if (pg_rows(r) == 0)
		return false;
	snprintf(n->schema, sizeof(n->schema), "%s", pg_text(r, 0, 0));
	snprintf(n->index.name, sizeof(n->index.name), "%s", pg_text(r, 0, 1));
	n->index.indexed_to = strtoll(pg_text(r, 0, 2), NULL, 10);
	n->index.is_halfvec =
	    strncmp(n->index.name, INDEX_OF_HALFVEC, strlen(INDEX_OF_HALFVEC)) == 0;
	snprintf(n->model, sizeof(n->model), "%s", pg_text(r, 0, 3));
	n->dimensions = (unsigned)strtoul(pg_text(r, 0, 4), NULL, 10);
	n->is_known = true;
	return true;
}

bool
search_note_is_wrong(const struct pg_result *r)
{
	static const char *const states[] = { "42883", "42704", "3F000", "42501", "26000",
		"22000" /* vectors of another length */ };

	for (size_t i = 0; r->status == PG_SQL_ERROR && i < sizeof(states) / sizeof(*states); i++) {
		if (strcmp(r->failure.sqlstate, states[i]) == 0)
			return true;
	}
	return false;
}
