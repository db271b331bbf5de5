/* SPDX-License-Identifier: MIT */
/*
 * vectors_check: whether a tenant's vectors are a model's (vector_model.h).
 *
 * What a connection has learned stays with it (search_note.c), and may be older than a `reembed`:
 * then the statement that stores (document_store.c), or that finds (vector_search.c), sees it.
 */
#include "retrieval/search_note.h"
#include "tenantgate/retrieval.h"

struct vectors_check {
	struct flow flow;
	struct pool_lease *lease; /* borrowed */
	struct vector_model model;
	struct pg_result result; /* owned */
};

static flow_step_fn vectors_ask, vectors_judge;

static const struct flow_step vectors_check_steps[] = {
	{ "vectors_ask", vectors_ask },
	{ "vectors_judge", vectors_judge },
	{ NULL, NULL },
};

static const struct flow_kind vectors_check_kind = { .name = "vectors",
	.steps = vectors_check_steps };

static void
vectors_check_clear(void *arg)
{
	struct vectors_check *v = arg;

	pg_clear(&v->result);
}

static enum flow_rc
vectors_ask(struct flow *f)
{
	struct vectors_check *v = FLOW_OF(f, struct vectors_check, &vectors_check_kind);

	flow_defer(f, vectors_check_clear, v);
	if (search_note_of(v->lease->conn)->is_known)
		return FLOW_NEXT;
	return search_note_ask(f, v->lease, &v->result);
}

static enum flow_rc
vectors_judge(struct flow *f)
{
	struct vectors_check *v = FLOW_OF(f, struct vectors_check, &vectors_check_kind);
	struct search_note *n = search_note_of(v->lease->conn);
	struct search_request asked = { 0 };
	struct err err = { .code = ERR_NONE };
	enum flow_rc rc;

	if (!n->is_known) {
		rc = pg_check(f, &v->result, ERR_NONE, "look up whose the vectors are");
		if (rc != FLOW_NEXT)
			return rc;
		(void)search_note_learn(n, &v->result);
	}
	asked.model = v->model.name;
	asked.dimensions = v->model.dimensions;
	return search_note_allows(n, &asked, &err) ? FLOW_DONE : flow_fail_err(f, &err);
}

enum flow_rc
vectors_check(struct flow *f, struct pool_lease *lease, const struct vector_model *model,
    int schema_version)
{
	struct vectors_check *v;

	if (schema_version < RETRIEVAL_SCHEMA_TAIL)
		return FLOW_NEXT;
	v = arena_alloc(f->arena, sizeof(*v));
	if (v == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document");
	v->lease = lease;
	v->model = *model;
	return flow_call(f, &v->flow, &vectors_check_kind);
}
