/* SPDX-License-Identifier: MIT */
/*
 * plan_settings: a tenant's own values, JSON of the catalog, over those of its plan. Each member is
 * read by itself: one that is wrong changes nothing, and costs the others nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "plan/plan_table.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/language.h"

/* Once a minute, whosever they are: what an operator has written comes back with each record. */
static void
setting_refused(const char *tenant, const char *name, const char *why)
{
	static struct log_pace pace;

	if (log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_WARNING, "plan.settings", NULL,
		    "The settings of tenant %s have a \"%.64s\" that is passed over: %s. Correct "
		    "public.tenants.settings.",
		    tenant, name, why);
}

static int
row_of(const char *name)
{
	for (unsigned i = 0; i < PLAN_VALUES; i++)
		if (strcmp(plan_rows[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* NULL when it is taken, else why it is not. */
static const char *
setting_read_whole(struct plan *p, const struct plan_row *row, const json_t *value)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n < row->min || (uint64_t)n > row->max)
		return "it is no whole number, or too small or large";
	plan_set_whole(p, row, (uint64_t)n);
	return NULL;
}

static const char *
setting_read_switch(struct plan *p, const struct plan_row *row, const json_t *value)
{
	if (!json_is_boolean(value))
		return "it is neither true nor false";
	plan_set_whole(p, row, json_is_true(value));
	return NULL;
}

static const char *
setting_read_language(struct plan *p, const struct plan_row *row, const json_t *value)
{
	struct slice name = slice_of(json_string_value(value), json_string_length(value));
	enum language language = language_find(name);

	if (!json_is_string(value) || language == LANGUAGES)
		return "it is no configuration of PostgreSQL's text search, like english or simple";
	plan_set_whole(p, row, language);
	return NULL;
}

static const char *
setting_read_number(struct plan *p, const json_t *value)
{
	double n = json_number_value(value);

	if (!json_is_number(value) || !(n >= 0 && n <= 2))
		return "it is no number of 0 to 2";
	p->temperature = n;
	return NULL;
}

/* The text is the JSON's still: see settle(). */
static const char *
setting_read_text(struct plan *p, const struct plan_row *row, const json_t *value)
{
	const char *text = json_string_value(value);

	if (text == NULL || json_string_length(value) > row->max)
		return "it is no text, or too long";
	memcpy((char *)p + row->offset, &text, sizeof(text));
	return NULL;
}

/* NULL when it is taken, or null, which is as if it were not there; else why it is not. */
static const char *
setting_read_member(struct plan *p, const char *name, const json_t *value)
{
	int i = row_of(name);
	const struct plan_row *row = i < 0 ? NULL : &plan_rows[i];
	const char *refused = "there is no such setting";

	if (row != NULL && json_is_null(value))
		return NULL;
	if (row != NULL && row->type == PLAN_WHOLE)
		refused = setting_read_whole(p, row, value);
	else if (row != NULL && row->type == PLAN_SWITCH)
		refused = setting_read_switch(p, row, value);
	else if (row != NULL && row->type == PLAN_LANGUAGE)
		refused = setting_read_language(p, row, value);
	else if (row != NULL && row->type == PLAN_NUMBER)
		refused = setting_read_number(p, value);
	else if (row != NULL)
		refused = setting_read_text(p, row, value);
	if (refused == NULL)
		p->of_tenant |= 1u << i;
	return refused;
}

static const char overlap_refused[] = "it must be less than chunk_size";

/* One without the other: whichever the tenant has set is wrong with what its plan has. */
static void
check_overlap(struct plan *p, const struct plan *base, const char *tenant)
{
	if (p->chunk_overlap < p->chunk_size)
		return;
	setting_refused(tenant, "chunk_overlap", overlap_refused);
	p->chunk_size = base->chunk_size;
	p->chunk_overlap = base->chunk_overlap;
	p->of_tenant &= ~(1u << PLAN_CHUNK_SIZE | 1u << PLAN_CHUNK_OVERLAP);
}

static size_t
text_size(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static char *
put_text(const char **text, char *at)
{
	size_t size = text_size(*text);

	if (size == 0)
		return at;
	memcpy(at, *text, size);
	*text = at;
	return at + size;
}

/* One piece of memory, with the texts behind the struct. */
static struct plan *
settle(const struct plan *p)
{
	struct plan *own =
	    xmalloc(sizeof(*own) + text_size(p->system_prompt) + text_size(p->models_allowed));
	char *at = (char *)(own + 1);

	*own = *p;
	at = put_text(&own->system_prompt, at);
	put_text(&own->models_allowed, at);
	return own;
}

struct plan *
plan_resolve(const struct plan *base, struct slice settings, const char *tenant)
{
	struct plan p = *base, *own = NULL;
	struct err err = { 0 };
	const char *name;
	json_t *root, *value;

	if (settings.len == 0 || slice_is(settings, "{}"))
		return NULL;
	root = settings.len <= PLAN_SETTINGS_MAX ? json_read_object(settings, &err) : NULL;
	if (root == NULL)
		setting_refused(tenant, "settings", "they are no JSON object, or too long");
	json_object_foreach(root, name, value) {
		const char *refused = setting_read_member(&p, name, value);

		if (refused != NULL)
			setting_refused(tenant, name, refused);
	}
	check_overlap(&p, base, tenant);
	if (p.of_tenant != 0)
		own = settle(&p);
	json_decref(root);
	return own;
}

static void
check_refuse(struct err *err, const char *name, const char *why)
{
	int i = row_of(name);
	const struct plan_row *row = i < 0 ? NULL : &plan_rows[i];

	if (row != NULL && row->type == PLAN_WHOLE)
		err_set(err, ERR_INVALID_FIELD,
		    "Setting \"%.40s\" cannot be so: %s. Send a whole number from %llu to %llu, or "
		    "null.",
		    name, why, (unsigned long long)row->min, (unsigned long long)row->max);
	else
		err_set(err, ERR_INVALID_FIELD, "Setting \"%.40s\" cannot be so: %s. Correct it.",
		    name, why);
}

bool
plan_settings_check(const struct plan *base, const json_t *settings, struct err *err)
{
	struct plan p = *base;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)settings, name, value) {
		const char *refused = setting_read_member(&p, name, value);

		if (refused != NULL) {
			check_refuse(err, name, refused);
			return false;
		}
	}
	if (p.chunk_overlap < p.chunk_size)
		return true;
	check_refuse(err, "chunk_overlap", overlap_refused);
	return false;
}
