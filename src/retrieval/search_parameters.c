/* SPDX-License-Identifier: MIT */
#include "retrieval/search_parameters.h"

#include <inttypes.h>
#include <stdio.h>

#include "retrieval/hybrid_statement.h"
#include "retrieval/pg_binary.h"
#include "tenantgate/retrieval/search_filter.h"

/* A server's text has no NUL: a blank is as good between words. */
static bool
question_encode(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		buf_putc(out, text.p[i] == '\0' ? ' ' : text.p[i]);
	return buf_putc(out, '\0');
}

bool
search_parameters_encode(struct search_parameters *p, const struct search_request *r)
{
	snprintf(p->limit, sizeof(p->limit), "%u", r->k);
	snprintf(p->ranked, sizeof(p->ranked), "%u", r->k > HYBRID_RANKED ? r->k : HYBRID_RANKED);
	buf_init(&p->vector, PG_BINARY_VECTOR_SIZE(r->dimensions));
	buf_init(&p->ids, (size_t)64 << 10);
	buf_init(&p->question, r->text.len + 1);
	return (r->mode == SEARCH_TEXT || pg_binary_vector(&p->vector, r->vector, r->dimensions)) &&
	    (r->mode == SEARCH_VECTOR || question_encode(&p->question, r->text)) &&
	    pg_text_array(&p->ids, r->document_ids, r->document_count);
}

void
search_parameters_free(struct search_parameters *p)
{
	buf_free(&p->vector);
	buf_free(&p->ids);
	buf_free(&p->question);
}

static void
give(struct pg_query *q, struct pg_param param)
{
	q->params[q->param_count++] = param;
}

void
search_parameters_give(struct search_parameters *p, const struct search_request *r,
    enum vector_way way, int64_t bound, struct pg_query *q)
{
	if (r->mode == SEARCH_TEXT)
		give(q, PG_TEXT(p->question.data));
	else
		give(q, (struct pg_param){ p->vector.data, (int)p->vector.len, true });
	give(q, PG_TEXT(r->mode == SEARCH_HYBRID ? p->ranked : p->limit));
	if (r->mode == SEARCH_HYBRID) {
		give(q, PG_TEXT(p->question.data));
		give(q, PG_TEXT(p->limit));
	}
	if (way == WAY_EXACT_SOME) {
		snprintf(p->bound, sizeof(p->bound), "%" PRId64, bound);
		give(q, PG_TEXT(p->bound));
	}
	if (r->document_count > 0)
		give(q, PG_TEXT(p->ids.data));
	if (r->owner != NULL)
		give(q, PG_TEXT(r->owner));
	if (r->filter != NULL)
		give(q, PG_TEXT(search_filter_values(r->filter)));
}
