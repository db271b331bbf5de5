/* SPDX-License-Identifier: MIT */
/*
 * plan: the table of the values that a plan has, and the plans by name.
 */
#include "tenantgate/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan_table.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/language.h"

#define AT(member) offsetof(struct plan, member), sizeof(((struct plan *)0)->member)
#define COUNT_MAX  1000000000ull
#define TOKENS_MAX 1000000000000ull
#define BYTES_MAX  ((uint64_t)1 << 50)

/* The bounds of the configuration's keys (conf_plan.c), so that a tenant's own value cannot be what
 * a section's cannot. */
const struct plan_row plan_rows[PLAN_VALUES] = {
	[PLAN_MAX_DOCUMENTS] = { "max_documents", NULL, PLAN_WHOLE, AT(documents_max), 0,
	    COUNT_MAX },
	[PLAN_MAX_BYTES] = { "max_bytes", NULL, PLAN_WHOLE, AT(bytes_max), 0, BYTES_MAX },
	[PLAN_MAX_DOCUMENT_SIZE] = { "max_document_size", NULL, PLAN_WHOLE, AT(document_max), 1024,
	    1u << 30 },
	[PLAN_MAX_QUESTION] = { "max_question", NULL, PLAN_WHOLE, AT(question_max), 0, COUNT_MAX },
	[PLAN_REQUESTS_PER_MINUTE] = { "requests_per_minute", "rate_limit_requests_per_minute",
	    PLAN_WHOLE, AT(requests_per_minute), 0, COUNT_MAX },
	[PLAN_USER_REQUESTS_PER_MINUTE] = { "user_requests_per_minute", NULL, PLAN_WHOLE,
	    AT(user_requests_per_minute), 0, COUNT_MAX },
	[PLAN_BURST] = { "burst", "rate_limit_burst", PLAN_WHOLE, AT(burst), 0, COUNT_MAX },
	[PLAN_TOKENS_PER_MINUTE] = { "tokens_per_minute", NULL, PLAN_WHOLE, AT(tokens_per_minute),
	    0, TOKENS_MAX },
	[PLAN_TOKENS_PER_MONTH] = { "tokens_per_month", NULL, PLAN_WHOLE, AT(tokens_per_month), 0,
	    TOKENS_MAX },
	[PLAN_MAX_CONCURRENT_STREAMS] = { "max_concurrent_streams", NULL, PLAN_WHOLE,
	    AT(concurrent_streams), 0, 1000000 },
	[PLAN_POOL_SIZE] = { "pool_size", "default_pool_size", PLAN_WHOLE, AT(pool_size), 1,
	    10000 },
	[PLAN_TOP_K] = { "top_k", NULL, PLAN_WHOLE, AT(top_k), 1, 100 },
	[PLAN_RERANK] = { "rerank", NULL, PLAN_SWITCH, AT(rerank), 0, 1 },
	[PLAN_CHUNK_SIZE] = { "chunk_size", NULL, PLAN_WHOLE, AT(chunk_size), 50, 100000 },
	[PLAN_CHUNK_OVERLAP] = { "chunk_overlap", NULL, PLAN_WHOLE, AT(chunk_overlap), 0, 50000 },
	[PLAN_TEXT_LANGUAGE] = { "text_language", NULL, PLAN_LANGUAGE, AT(text_language), 0, 0 },
	[PLAN_TEMPERATURE] = { "temperature", NULL, PLAN_NUMBER, AT(temperature), 0, 2 },
	[PLAN_SYSTEM_PROMPT] = { "system_prompt", NULL, PLAN_TEXT, AT(system_prompt), 0,
	    PLAN_PROMPT_MAX },
	[PLAN_MODELS_ALLOWED] = { "models_allowed", NULL, PLAN_TEXT, AT(models_allowed), 0,
	    PLAN_MODELS_MAX },
};

const struct plan plan_standard = {
	.document_max = 64u << 20,
	.requests_per_minute = 600,
	.pool_size = 20,
	.top_k = 4,
	.chunk_size = 1000,
	.chunk_overlap = 200,
	.text_language = LANGUAGE_USUAL,
	.temperature = -1,
};

uint64_t
plan_whole(const struct plan *p, const struct plan_row *row)
{
	const char *at = (const char *)p + row->offset;
	unsigned narrow;
	uint64_t wide;

	if (row->size == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

void
plan_set_whole(struct plan *p, const struct plan_row *row, uint64_t value)
{
	char *at = (char *)p + row->offset;
	unsigned narrow = (unsigned)value;

	if (row->size == sizeof(value))
		memcpy(at, &value, sizeof(value));
	else
		memcpy(at, &narrow, sizeof(narrow));
}

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static const char *
plan_text(const struct plan *p, const struct plan_row *row)
{
	const char *text;

	memcpy(&text, (const char *)p + row->offset, sizeof(text));
	return text;
}

void
plan_compare(struct plan *p, const struct plan *standard)
{
	for (unsigned i = 0; i < PLAN_VALUES; i++) {
		const struct plan_row *row = &plan_rows[i];
		bool same;

		if (row->type == PLAN_WHOLE || row->type == PLAN_SWITCH ||
		    row->type == PLAN_LANGUAGE)
			same = plan_whole(p, row) == plan_whole(standard, row);
		else if (row->type == PLAN_TEXT)
			same = same_text(plan_text(p, row), plan_text(standard, row));
		else
			same = p->temperature == standard->temperature;
		if (!same)
			p->of_section |= 1u << i;
	}
}

const struct plan *
plan_of_name(const struct plans *all, const char *name, const char *tenant)
{
	static struct log_pace pace;

	if (name[0] == '\0')
		return all->standard;
	for (unsigned i = 0; i < all->count; i++)
		if (strcmp(all->items[i].name, name) == 0)
			return &all->items[i];
	if (all->count > 0 && log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_WARNING, "plan.unknown", NULL,
		    "Tenant %s has the plan \"%s\", and there is no section [plan %s]: the values "
		    "of "
		    "[tenantgate] hold. Add the section, or give the tenant another plan.",
		    tenant, name, name);
	return all->standard;
}

bool
plan_temperature_read(const char *text, double *out)
{
	char *end;

	*out = -1;
	if (text == NULL || text[0] == '\0')
		return true;
	if (strspn(text, "0123456789.") != strlen(text))
		return false;
	*out = strtod(text, &end);
	return *end == '\0' && *out >= 0 && *out <= 2;
}

static const char *
plan_copy_text(const char *text, struct arena *arena)
{
	return text == NULL ? NULL : arena_slice(arena, slice_str(text));
}

const struct plan *
plan_copy(const struct plan *p, struct arena *arena)
{
	struct plan *copy = arena_alloc(arena, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *p;
	copy->name = plan_copy_text(p->name, arena);
	copy->temperature_text = plan_copy_text(p->temperature_text, arena);
	copy->system_prompt = plan_copy_text(p->system_prompt, arena);
	copy->models_allowed = plan_copy_text(p->models_allowed, arena);
	if ((p->name != NULL && copy->name == NULL) ||
	    (p->temperature_text != NULL && copy->temperature_text == NULL) ||
	    (p->system_prompt != NULL && copy->system_prompt == NULL) ||
	    (p->models_allowed != NULL && copy->models_allowed == NULL))
		return NULL;
	return copy;
}

const char *
plan_key(const struct plan *p, enum plan_value value, char out[PLAN_KEY_SIZE])
{
	const struct plan_row *row = &plan_rows[value];
	unsigned bit = 1u << value;

	if (p->of_tenant & bit)
		snprintf(out, PLAN_KEY_SIZE, "%s of the tenant's settings", row->name);
	else if (p->name != NULL && (p->of_section & bit))
		snprintf(out, PLAN_KEY_SIZE, "%s of [plan %s]", row->name, p->name);
	else
		snprintf(out, PLAN_KEY_SIZE, "%s of [tenantgate]",
		    row->in_defaults != NULL ? row->in_defaults : row->name);
	return out;
}
