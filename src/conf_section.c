/* SPDX-License-Identifier: MIT */
/*
 * conf_section: the kinds of section, and a section while the file is read: [tenantgate], whose
 * keys fill struct conf, and those with a name, each of which fills an item of its own. The items
 * go into an array of the conf when all is read.
 */
#include "conf_internal.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"

#define NAME_MAX_BYTES 32 /* of a section */

#define ITEMS(member) \
	offsetof(struct conf, member), offsetof(struct conf, member##_count), \
	    sizeof(((struct conf *)0)->member) / sizeof(((struct conf *)0)->member[0])

static const struct conf_key_table tables[] = {
	{ conf_process_keys, &conf_process_keys_count },
	{ conf_tls_keys, &conf_tls_keys_count },
	{ conf_browser_keys, &conf_browser_keys_count },
	{ conf_keys, &conf_keys_count },
	{ conf_token_keys, &conf_token_keys_count },
	{ conf_all_issuers_keys, &conf_all_issuers_keys_count },
	{ NULL, NULL },
};

static const struct conf_key_table model_tables[] = {
	{ conf_model_keys, &conf_model_keys_count },
	{ NULL, NULL },
};

static const struct conf_key_table plan_tables[] = {
	{ conf_plan_keys, &conf_plan_keys_count },
	{ NULL, NULL },
};

static const struct conf_key_table issuer_tables[] = {
	{ conf_issuer_keys, &conf_issuer_keys_count },
	{ NULL, NULL },
};

const struct conf_section conf_sections[] = {
	{ .kind = "tenantgate", .tables = tables },
	{ "model",
	    "A further server of models, whose name goes before the models it has: NAME/MODEL.",
	    model_tables, sizeof(struct model_server_conf),
	    offsetof(struct model_server_conf, name), ITEMS(model_servers), "default", NULL },
	{ "plan",
	    "What a tenant of that plan (public.tenants.plan) may have. Its own settings go "
	    "before.",
	    plan_tables, sizeof(struct plan), offsetof(struct plan, name), ITEMS(plans), NULL,
	    conf_plan_example },
	{ "issuer",
	    "An identity provider, whose tokens (JWT) let its users in. Its name is for the log.",
	    issuer_tables, sizeof(struct issuer_conf), offsetof(struct issuer_conf, name),
	    ITEMS(issuers), NULL, conf_issuer_example },
};

const unsigned conf_section_count = sizeof(conf_sections) / sizeof(conf_sections[0]);

/* ---- a section's keys ---- */

unsigned
conf_key_count(const struct conf_section *s)
{
	unsigned n = 0;

	for (const struct conf_key_table *t = s->tables; t->keys != NULL; t++)
		n += *t->count;
	return n;
}

const struct conf_key *
conf_key_at(const struct conf_section *s, unsigned i)
{
	const struct conf_key_table *t = s->tables;

	for (; i >= *t->count; t++)
		i -= *t->count;
	return &t->keys[i];
}

unsigned
conf_key_index(const struct conf_section *s, const struct conf_key *k)
{
	unsigned before = 0;

	for (const struct conf_key_table *t = s->tables; t->keys != NULL; t++) {
		uintptr_t first = (uintptr_t)t->keys, key = (uintptr_t)k;

		if (key >= first && key < (uintptr_t)(t->keys + *t->count))
			return before + (unsigned)(k - t->keys);
		before += *t->count;
	}
	abort(); /* it is none of this section */
}

/* -1: none of that name. */
static int
key_named(const struct conf_section *s, struct slice name)
{
	unsigned before = 0;

	for (const struct conf_key_table *t = s->tables; t->keys != NULL; t++) {
		for (const struct conf_key *k = t->keys; k < t->keys + *t->count; k++)
			if (k->type != CONF_GROUP && slice_is(name, k->name))
				return (int)(before + (unsigned)(k - t->keys));
		before += *t->count;
	}
	return -1;
}

const struct conf_key *
conf_key_find(const struct conf_section *s, struct slice name)
{
	int i = key_named(s, name);

	return i < 0 ? NULL : conf_key_at(s, (unsigned)i);
}

struct conf_place
conf_key_place(const struct conf_scope *scope, const char *name)
{
	int i = key_named(scope->section, slice_str(name));

	return i >= 0 && scope->seen[i].file != NULL ? scope->seen[i] : scope->opened;
}

bool
conf_key_refused(const struct conf_scope *scope, const char *name)
{
	int i = key_named(scope->section, slice_str(name));

	return i >= 0 && scope->refused[i];
}

/* Not by way of the file's reader: a default is not "set twice" by the file. A default that its own
 * key refuses is a defect of the table, and every start would show it. */
static void
scope_set_defaults(struct conf_reading *r, struct conf_scope *scope)
{
	static const struct conf_place table = { "defaults", 0 };

	if (conf_key_count(scope->section) > CONF_KEYS_MAX)
		abort(); /* raise it */
	for (unsigned i = 0; i < conf_key_count(scope->section); i++) {
		const struct conf_key *k = conf_key_at(scope->section, i);

		if (k->type == CONF_GROUP || k->default_text[0] == '$' || k->default_text[0] == '=')
			continue;
		if (!conf_store(r, &table, scope->base, k, slice_str(k->default_text)))
			abort();
	}
}

/* ---- opening one ---- */

static struct conf_scope *
scope_add(struct conf_reading *r, const struct conf_section *section, const char *name)
{
	struct conf_scope *scope = xcalloc(1, sizeof(*scope)), **end = &r->scopes;

	while (*end != NULL)
		end = &(*end)->next;
	*end = scope;
	scope->section = section;
	scope->name = name;
	scope->is_good = true;
	scope->base = section->item_size == 0 ? (void *)r->conf : xcalloc(1, section->item_size);
	if (name != NULL)
		memcpy((char *)scope->base + section->name_offset, &name, sizeof(name));
	scope_set_defaults(r, scope);
	return scope;
}

void
conf_scope_first(struct conf_reading *r)
{
	(void)scope_add(r, &conf_sections[0], NULL);
}

static const struct conf_section *
section_of_kind(struct slice kind)
{
	for (unsigned i = 0; i < conf_section_count; i++)
		if (slice_is(kind, conf_sections[i].kind))
			return &conf_sections[i];
	return NULL;
}

/* "[tenantgate], [model NAME] and [plan NAME]" */
static void
list_sections(char *out, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; i < conf_section_count && n < size; i++) {
		const struct conf_section *s = &conf_sections[i];
		const char *between = i == 0 ? "" : (i + 1 < conf_section_count ? ", " : " and ");

		n += (size_t)snprintf(out + n, size - n, "%s[%s%s]", between, s->kind,
		    s->item_size > 0 ? " NAME" : "");
	}
}

/* The kind that was meant, or NULL. */
static const struct conf_section *
refuse_kind(struct conf_reading *r, const struct conf_place *at, struct slice header,
    struct slice kind)
{
	const struct conf_section *meant;
	struct conf_guess guess;
	char all[256];

	conf_guess_start(&guess, kind);
	for (unsigned i = 0; i < conf_section_count; i++)
		conf_guess_try(&guess, conf_sections[i].kind);
	if (guess.best == NULL) {
		list_sections(all, sizeof(all));
		conf_error(r, at, "Unknown section [%.*s]; there are %s.", SLICE_ARG(header), all);
		return NULL;
	}
	meant = section_of_kind(slice_str(guess.best));
	conf_error(r, at, "Unknown section [%.*s]; did you mean [%s%s]?", SLICE_ARG(header),
	    meant->kind, meant->item_size > 0 ? " NAME" : "");
	return meant;
}

static bool
name_is_plain(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.p[i]) && strchr("-_.", name.p[i]) == NULL)
			return false;
	return name.len > 0 && name.len <= NAME_MAX_BYTES;
}

/* How many there are of the kind, and the one that has the name already, or NULL. */
static const struct conf_scope *
scope_of_name(const struct conf_reading *r, const struct conf_section *section, struct slice name,
    unsigned *count)
{
	const struct conf_scope *found = NULL;

	*count = 0;
	for (const struct conf_scope *s = r->scopes; s != NULL; s = s->next) {
		if (s->section != section)
			continue;
		++*count;
		if (s->name != NULL && slice_is(name, s->name))
			found = s;
	}
	return found;
}

/* False with an error reported. */
static bool
check_name(struct conf_reading *r, const struct conf_place *at, const struct conf_section *section,
    struct slice name)
{
	unsigned count;
	const struct conf_scope *other = scope_of_name(r, section, name, &count);

	if (!name_is_plain(name))
		conf_error(r, at,
		    "Write [%s NAME], with a name of 1 to %d letters, digits, '-', '_' and '.'.",
		    section->kind, NAME_MAX_BYTES);
	else if (section->reserved != NULL && slice_is(name, section->reserved))
		conf_error(r, at, "The name of [%s %s] is reserved; choose another.", section->kind,
		    section->reserved);
	else if (other != NULL)
		conf_error(r, at, "Section [%s %s] is there twice; it was first opened at %s:%u.",
		    section->kind, other->name, other->opened.file, other->opened.line);
	else if (count >= section->items_max)
		conf_error(r, at, "There are more than %u sections [%s NAME]; remove one.",
		    section->items_max, section->kind);
	else
		return true;
	return false;
}

/* The kind ends at the first blank. */
struct conf_scope *
conf_scope_open(struct conf_reading *r, const struct conf_place *at, struct slice header)
{
	size_t n = 0;
	struct slice kind, name;
	const struct conf_section *section;
	struct conf_scope *scope;
	bool good;

	while (n < header.len && header.p[n] != ' ' && header.p[n] != '\t')
		n++;
	kind = slice_of(header.p, n);
	name = slice_trim(slice_of(header.p + n, header.len - n));
	section = section_of_kind(kind);
	if (section != NULL && section->item_size == 0 && name.len > 0)
		conf_error(r, at, "Section [%s] takes no name; write it without.", section->kind);
	else if (section == NULL)
		section = refuse_kind(r, at, header, kind);
	if (section == NULL || section->item_size == 0)
		return section == NULL ? NULL : r->scopes;
	good = check_name(r, at, section, name);
	scope = scope_add(r, section, good ? conf_keep(r->conf, name) : NULL);
	scope->opened = *at;
	scope->is_good = good;
	return scope;
}

/* ---- when all is read ---- */

/* Values of "=KEY" that the file has not set are those of [tenantgate]. */
static void
scope_inherit(const struct conf_reading *r, struct conf_scope *scope)
{
	for (unsigned i = 0; i < conf_key_count(scope->section); i++) {
		const struct conf_key *k = conf_key_at(scope->section, i), *general;

		if (k->type == CONF_GROUP || k->default_text[0] != '=' ||
		    scope->seen[i].file != NULL)
			continue;
		general = conf_key_find(&conf_sections[0], slice_str(k->default_text + 1));
		if (general == NULL || general->type != k->type || general->size != k->size)
			abort(); /* a defect of the table */
		memcpy((char *)scope->base + k->offset, (char *)r->conf + general->offset, k->size);
	}
}

void
conf_scopes_fill(struct conf_reading *r)
{
	for (struct conf_scope *scope = r->scopes->next; scope != NULL; scope = scope->next) {
		const struct conf_section *section = scope->section;
		char *items = (char *)r->conf + section->items_offset;
		unsigned *count = (unsigned *)(void *)((char *)r->conf + section->count_offset);

		scope_inherit(r, scope);
		if (scope->is_good)
			memcpy(items + (*count)++ * section->item_size, scope->base,
			    section->item_size);
	}
}

void
conf_scopes_free(struct conf_reading *r)
{
	struct conf_scope *scope;

	while ((scope = r->scopes) != NULL) {
		r->scopes = scope->next;
		if (scope->base != r->conf)
			free(scope->base);
		free(scope);
	}
}
