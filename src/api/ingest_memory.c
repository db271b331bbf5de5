/* SPDX-License-Identifier: MIT */
/*
 * ingest_memory: see the header; and the budgets of the handlers, which all workers share.
 */
#include "api/ingest_memory.h"

#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"

#define WAITING_MAX 1000 /* documents of one tenant that wait; more are refused */

static bool
has_spool(const struct api_conf *conf)
{
	return conf->spool_dir != NULL && *conf->spool_dir != '\0';
}

/* The client hears only that its body is too large; the operator, which key says so. */
static void
documents_check(const struct api_budgets *b, const struct api_conf *conf)
{
	uint64_t largest = share_largest_grown(has_spool(conf) ? b->spool : b->documents);

	if (largest < conf->document_max)
		log_event(LOG_WARNING, "serve.ingest_memory", NULL,
		    "With this %s a document may have %llu bytes, and not the %zu of "
		    "max_document_size; three %s of it are the most that one tenant may have.",
		    has_spool(conf) ? "max_spool_size" : "max_ingest_memory",
		    (unsigned long long)largest, conf->document_max,
		    has_spool(conf) ? "quarters" : "eighths");
}

void
api_budgets_open(struct api_budgets *b, const struct api_conf *conf)
{
	struct share_conf budget = {
		.noun = "ingests under way",
		.setting = "max_ingests",
		.capacity = SHARE_UNBOUNDED, /* none is refused for the others' */
		.ceiling = conf->ingests_max,
		.waiting_max = WAITING_MAX,
		.wait_timeout_us = conf->ingest_wait_timeout_us,
	};

	b->ingests = share_open(&budget);
	budget.noun = "bytes of documents in memory";
	budget.setting = "max_ingest_memory";
	budget.capacity = conf->ingest_memory_max / 2;
	budget.ceiling = 0;
	budget.has_headroom = true;
	b->documents = share_open(&budget);
	budget.noun = "bytes of memory for vectors";
	b->vectors = share_open(&budget);
	budget.noun = "bytes of documents on the disk";
	budget.setting = "max_spool_size";
	budget.capacity = conf->spool_max;
	b->spool = share_open(&budget);
	documents_check(b, conf);
	b->parsers = extract_parsers_open(&conf->extract);
}

void
api_budgets_configure(struct api_budgets *b, const struct api_conf *conf)
{
	share_set_ceiling(b->ingests, conf->ingests_max);
	share_resize(b->documents, conf->ingest_memory_max / 2);
	share_resize(b->vectors, conf->ingest_memory_max / 2);
	share_resize(b->spool, conf->spool_max);
	share_set_waiting(b->ingests, WAITING_MAX, conf->ingest_wait_timeout_us);
	share_set_waiting(b->documents, WAITING_MAX, conf->ingest_wait_timeout_us);
	share_set_waiting(b->vectors, WAITING_MAX, conf->ingest_wait_timeout_us);
	extract_parsers_configure(b->parsers, &conf->extract);
	documents_check(b, conf);
}

void
api_budgets_close(struct api_budgets *b)
{
	share_close(b->ingests);
	share_close(b->documents);
	share_close(b->vectors);
	share_close(b->spool);
	share_close(b->parsers);
}

void
api_budgets_condition(const struct api_budgets *b, struct condition *out)
{
	share_condition(b->ingests, out);
	share_condition(b->documents, out);
	share_condition(b->vectors, out);
	share_condition(b->spool, out);
	share_condition(b->parsers, out);
}

void
ingest_grants_clear(struct ingest_grants *g)
{
	share_give(&g->text);
	share_give(&g->vectors);
}

void
ingest_grants_give(struct ingest_grants *g)
{
	ingest_grants_clear(g);
	share_give(&g->body);
}

/* A flow_defer_fn. */
static void
ingest_memory_free(void *arg)
{
	struct ingest_memory *m = arg;

	share_give(&m->body);
	share_give(&m->place);
}

static const struct api_budgets *
budgets_of(const struct ingest_memory *m)
{
	return &m->req->ctx->shared->budgets;
}

static struct slice
memory_tenant(const struct ingest_memory *m)
{
	return slice_str(mutated(MUTATION_SHARE_INGESTS, m->req->tenant_id));
}

/* An http_body_fn: bytes is what the buffer takes, which grows by doubling. */
static bool
ingest_body_grown(void *arg, size_t bytes, struct err *err)
{
	struct ingest_memory *m = arg;

	return bytes <= m->body.units ||
	    share_try(budgets_of(m)->documents, memory_tenant(m), 1, bytes - m->body.units,
		&m->body, err);
}

enum flow_rc
ingest_memory_enter(struct flow *f, struct ingest_memory *m, struct request *req)
{
	struct err err = { .code = ERR_NONE };
	uint64_t largest;

	m->req = req;
	flow_defer(f, ingest_memory_free, m);
	if (!share_try(budgets_of(m)->ingests, memory_tenant(m), 1, 1, &m->place, &err))
		return flow_fail_err(f, &err);
	largest = share_largest_grown(
	    req->ctx->shared->spool_folder != 0 ? budgets_of(m)->spool : budgets_of(m)->documents);
	if (req->body.max > largest)
		req->body.max = largest;
	http_watch_body(req->x, ingest_body_grown, m);
	return FLOW_NEXT;
}

void
ingest_memory_move(struct ingest_memory *m, struct ingest_grants *g)
{
	g->body = m->body;
	m->body = (struct share_grant){ .budget = NULL };
}

bool
ingest_memory_json(struct ingest_memory *m, size_t bytes, struct err *err)
{
	return share_try(budgets_of(m)->documents, memory_tenant(m), 1, bytes, &m->body, err);
}

/* Of what can never fit beside its own body it is not said that it may be tried again. */
bool
ingest_memory_text(struct ingest_memory *m, size_t bytes, struct ingest_grants *g, struct err *err)
{
	uint64_t both = g->body.units + bytes, most;

	if (bytes == 0 ||
	    share_try(budgets_of(m)->documents, memory_tenant(m), 1, bytes, &g->text, err))
		return true;
	most = share_largest_grown(budgets_of(m)->documents);
	if (err->code != ERR_OVERLOADED || both <= most)
		return false;
	err_clear(err);
	err_set(err, ERR_TOO_LARGE,
	    "The document and its text have %llu bytes, and one tenant may have %llu in memory. "
	    "Send a smaller one, or raise max_ingest_memory.",
	    (unsigned long long)both, (unsigned long long)most);
	return false;
}

enum flow_rc
ingest_memory_vectors(struct flow *f, struct ingest_memory *m, size_t bytes,
    struct ingest_grants *g)
{
	return share_take(f, budgets_of(m)->vectors, memory_tenant(m), 1, bytes, &g->vectors);
}
