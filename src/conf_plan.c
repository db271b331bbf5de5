/* SPDX-License-Identifier: MIT */
/*
 * conf_plan: the table of the keys of [plan NAME], and the plan of tenants that have none, which is
 * what the keys of [tenantgate] say. The bounds are those of a tenant's own settings too
 * (src/plan/plan.c).
 */
#include <string.h>

#define CONF_STRUCT struct plan
#include "conf_table.h"

/* A table is laid out in columns. */
/* clang-format off */
const struct conf_key conf_plan_keys[] = {
	NUMBER("max_documents", documents_max, "=max_documents", 0, 1000000000,
	    "Documents of a tenant; 0 for no limit."),
	SIZE("max_bytes", bytes_max, "=max_bytes", 0, 1048576 * GIB,
	    "Bytes of all files of its documents together; 0 for no limit."),
	SIZE("max_document_size", document_max, "=max_document_size", 1 * KIB, 1 * GIB,
	    "A file of POST /ingest; not more than [tenantgate] has."),
	NUMBER("chunk_size", chunk_size, "=chunk_size", 50, 100000, "Characters of a chunk."),
	NUMBER("chunk_overlap", chunk_overlap, "=chunk_overlap", 0, 50000,
	    "Characters a chunk shares with the one before."),
	NUMBER("requests_per_minute", requests_per_minute, "=rate_limit_requests_per_minute", 0,
	    1000000000, "Requests a minute of a tenant; 0 for no limit."),
	NUMBER("user_requests_per_minute", user_requests_per_minute, "=user_requests_per_minute", 0,
	    1000000000, "Requests a minute of each of its users; 0 for no limit."),
	NUMBER("burst", burst, "=rate_limit_burst", 0, 1000000000,
	    "Requests at once; 0 for as many as a minute's."),
	NUMBER("tokens_per_minute", tokens_per_minute, "=tokens_per_minute", 0, 1000000000000,
	    "Tokens a minute that a tenant may spend of models; 0 for no limit."),
	NUMBER("tokens_per_month", tokens_per_month, "=tokens_per_month", 0, 1000000000000,
	    "The same of a month of the calendar, in UTC."),
	NUMBER("max_concurrent_streams", concurrent_streams, "=max_concurrent_streams", 0, 1000000,
	    "Answers of POST /chat at the same time; 0 for no limit."),
	NUMBER("pool_size", pool_size, "=default_pool_size", 1, 10000,
	    "Server connections of its database."),
	NUMBER("max_question", question_max, "=max_question", 0, 1000000000,
	    "Characters of a question; a longer one is refused. 0 for no limit."),
	NUMBER("top_k", top_k, "=top_k", 1, SEARCH_K_MAX,
	    "Chunks given to the model, unless the request says otherwise."),
	WORD("rerank", rerank, "=rerank", plan_switches,
	    "Have rerank_model put in order what is found, unless the request says otherwise."),
	WORD("text_language", text_language, "=text_language", text_languages,
	    "How words are made of its documents, unless one says otherwise."),
	STRING("temperature", temperature_text, "=temperature", CONF_EMPTY_IS_NULL,
	    "0 to 2, unless the request says otherwise; empty for the model's own."),
	STRING("system_prompt", system_prompt, "=system_prompt", CONF_EMPTY_IS_NULL,
	    "What the model is told before our own rules about passages, 4 KiB at most."),
	STRING("models_allowed", models_allowed, "=models_allowed", CONF_EMPTY_IS_NULL,
	    "Models that a request may name besides those of chat_model: some of what [tenantgate] "
	    "has."),
};
/* clang-format on */

const unsigned conf_plan_keys_count = sizeof(conf_plan_keys) / sizeof(conf_plan_keys[0]);

/* A temperature that is none is refused below. */
void
conf_make_plans(struct conf *c)
{
	struct plan *p = &c->plan;

	p->document_max = c->api.document_max;
	p->requests_per_minute = c->api.tenant_requests_per_minute;
	p->burst = c->api.burst;
	p->pool_size = c->pool.default_pool_size;
	p->top_k = c->api.top_k;
	p->chunk_size = c->api.chunk_size;
	p->chunk_overlap = c->api.chunk_overlap;
	p->models_allowed = c->model.models_allowed;
	(void)plan_temperature_read(p->temperature_text, &p->temperature);
	for (unsigned i = 0; i < c->plans_count; i++) {
		(void)plan_temperature_read(c->plans[i].temperature_text, &c->plans[i].temperature);
		plan_compare(&c->plans[i], p);
	}
	c->tenants.plans =
	    (struct plans){ .standard = p, .items = c->plans, .count = c->plans_count };
}

/* The numbers of Neon's demonstration of a vector database for each tenant. Its limit of ten
 * requests a minute is an address's there, and a tenant's here. */
const char conf_plan_example[] =
    "# For instance:\n"
    "#[plan free]\n"
    "#max_documents = 3\n"
    "#max_document_size = 10MiB\n"
    "#max_question = 500\n"
    "#requests_per_minute = 10\n"
    "#top_k = 2\n"
    "#chunk_overlap = 100\n"
    "#temperature = 0\n"
    "#system_prompt = Where the passages do not hold the answer, say so, and answer from what you "
    "know.\n";

static void
plan_check(struct conf_reading *r, const struct conf_scope *s, bool ok, const char *key,
    const char *predicate)
{
	struct conf_place at = conf_key_place(s, key);

	if (!ok && !conf_key_refused(s, key))
		conf_error(r, &at, "%s %s", key, predicate);
}

/* Of a section, or of [tenantgate], whose other values conf.c checks. */
static void
check_texts(struct conf_reading *r, const struct conf_scope *s, const struct plan *p)
{
	double number;

	plan_check(r, s, plan_temperature_read(p->temperature_text, &number), "temperature",
	    "must be a number of 0 to 2, like 0.3.");
	plan_check(r, s, p->system_prompt == NULL || strlen(p->system_prompt) <= PLAN_PROMPT_MAX,
	    "system_prompt", "must be 4096 bytes at most.");
}

void
conf_check_plans(struct conf_reading *r)
{
	const struct conf *c = r->conf;

	check_texts(r, r->scopes, &c->plan);
	for (const struct conf_scope *s = r->scopes->next; s != NULL; s = s->next) {
		const struct plan *p = s->base;

		if (s->section->tables->keys != conf_plan_keys)
			continue;
		check_texts(r, s, p);
		plan_check(r, s, p->chunk_overlap < p->chunk_size, "chunk_overlap",
		    "must be less than chunk_size.");
		plan_check(r, s, p->document_max <= c->api.document_max, "max_document_size",
		    "must not be more than [tenantgate] has.");
		plan_check(r, s,
		    p->models_allowed == NULL || strlen(p->models_allowed) <= PLAN_MODELS_MAX,
		    "models_allowed", "must be 1024 bytes at most.");
	}
}
