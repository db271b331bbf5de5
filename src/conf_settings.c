/* SPDX-License-Identifier: MIT */
/*
 * conf_settings: what was read, as an operator may see it: each key of each section with the value
 * that is in force, its unit and its origin. Made once, when all is read; secrets are not in it.
 */
#include "conf_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/json.h"

#define VALUE_JSON_MAX (8 * CONF_VALUE_MAX) /* bytes: each may be escaped */
#define SECOND	       1000000ull

const struct conf_renamed conf_renamed[] = {
	{ "extract_max_text", "max_document_text" },
	{ NULL, NULL },
};

/* ---- origins ---- */

struct origin {
	struct conf_place place; /* file NULL: it was not set */
	unsigned turn;		 /* of all keys that were set; 0: it was not */
	bool is_environment;
};

static struct origin
origin_of(const struct conf_scope *s, const struct conf_key *k)
{
	unsigned i = conf_key_index(s->section, k);

	return (struct origin){ s->seen[i], s->turn[i], s->by_environment[i] };
}

/* A key's older name fills the same member: of both the one that is read later counts. */
static struct origin
origin_by_either_name(const struct conf_scope *s, const struct conf_key *k)
{
	struct origin own = origin_of(s, k), older;

	for (const struct conf_renamed *r = conf_renamed; r->older != NULL; r++) {
		if (s->section != &conf_sections[0] || strcmp(r->name, k->name) != 0)
			continue;
		older = origin_of(s, conf_key_find(s->section, slice_str(r->older)));
		if (own.turn < older.turn)
			return older;
	}
	return own;
}

static bool
is_older_name(const char *name)
{
	for (const struct conf_renamed *r = conf_renamed; r->older != NULL; r++)
		if (strcmp(r->older, name) == 0)
			return true;
	return false;
}

/* What stands for a key of [tenantgate] has that one's. */
static struct origin
origin_find(const struct conf_reading *r, const struct conf_scope *s, const struct conf_key *k)
{
	struct origin own = origin_by_either_name(s, k);

	if (own.place.file != NULL || k->default_text[0] != '=')
		return own;
	return origin_by_either_name(r->scopes,
	    conf_key_find(&conf_sections[0], slice_str(k->default_text + 1)));
}

static void
put_origin(struct conf *c, struct admin_setting *out, const struct origin *origin)
{
	char place[512];

	out->origin = "default";
	if (origin->place.file == NULL)
		return;
	(void)snprintf(place, sizeof(place), "%s:%u", origin->place.file, origin->place.line);
	out->place = conf_keep(c, slice_str(place));
	out->origin = origin->is_environment ? "environment" : out->place;
}

/* ---- values ---- */

static uint64_t
member_number(const void *base, const struct conf_key *k)
{
	const void *member = (const char *)base + k->offset;
	uint64_t eight;
	uint32_t four;
	uint16_t two;

	if (k->size == sizeof(bool))
		return *(const bool *)member;
	if (k->size == sizeof(two)) {
		memcpy(&two, member, sizeof(two));
		return two;
	}
	if (k->size == sizeof(four)) {
		memcpy(&four, member, sizeof(four));
		return four;
	}
	memcpy(&eight, member, sizeof(eight));
	return eight;
}

/* Without zeroes at the end: 0.1, 15. */
static void
put_seconds(struct buf *b, uint64_t us)
{
	char text[48];
	size_t n;

	(void)snprintf(text, sizeof(text), "%llu.%06llu", (unsigned long long)(us / SECOND),
	    (unsigned long long)(us % SECOND));
	n = strlen(text);
	while (text[n - 1] == '0')
		n--;
	buf_slice(b, slice_of(text, text[n - 1] == '.' ? n - 1 : n));
}

static void
put_word(struct buf *b, const struct conf_key *k, uint64_t value)
{
	for (const struct conf_word *w = k->words; w->word != NULL; w++)
		if ((uint32_t)w->value == (uint32_t)value) {
			json_put_string(b, slice_str(w->word));
			return;
		}
	buf_puts(b, "null");
}

/* False when nothing of it is secret. */
static bool
put_setting_text(struct buf *b, const struct conf_key *k, const char *text)
{
	struct buf shown;
	bool is_secret = k->type == CONF_SECRET;

	if (text == NULL) {
		buf_puts(b, "null");
		return is_secret;
	}
	buf_init(&shown, 2 * CONF_VALUE_MAX);
	if (k->type == CONF_URL)
		is_secret = conf_conceal_url(&shown, slice_str(text));
	else
		buf_puts(&shown, k->type == CONF_SECRET && *text != '\0' ? "(secret)" : text);
	json_put_string(b, buf_view(&shown));
	buf_free(&shown);
	return is_secret;
}

static void
put_setting_value(struct buf *b, struct admin_setting *out, const void *base,
    const struct conf_key *k)
{
	const char *text;

	switch (k->type) {
	case CONF_NUMBER:
		buf_printf(b, "%" PRIu64, member_number(base, k));
		return;
	case CONF_SIZE:
		buf_printf(b, "%" PRIu64, member_number(base, k));
		out->unit = "bytes";
		return;
	case CONF_DURATION:
		put_seconds(b, member_number(base, k));
		out->unit = "seconds";
		return;
	case CONF_SWITCH:
		buf_puts(b, member_number(base, k) != 0 ? "true" : "false");
		return;
	case CONF_WORD:
		put_word(b, k, member_number(base, k));
		return;
	default:
		memcpy(&text, (const char *)base + k->offset, sizeof(text));
		out->is_secret = put_setting_text(b, k, text);
	}
}

/* ---- the table ---- */

static const char *
section_name(struct conf *c, const struct conf_scope *s)
{
	char name[128];

	if (s->name == NULL)
		return s->section->kind;
	(void)snprintf(name, sizeof(name), "%s %s", s->section->kind, s->name);
	return conf_keep(c, slice_str(name));
}

static void
add_scope(struct conf_reading *r, const struct conf_scope *s, struct buf *b)
{
	struct conf *c = r->conf;
	const char *section = section_name(c, s);

	for (unsigned i = 0; i < conf_key_count(s->section); i++) {
		const struct conf_key *k = conf_key_at(s->section, i);
		struct admin_setting *out = &c->settings[c->setting_count];
		struct origin origin;

		if (k->type == CONF_GROUP || is_older_name(k->name))
			continue;
		c->setting_count++;
		out->section = section;
		out->key = k->name;
		out->needs_restart = k->needs_restart;
		origin = origin_find(r, s, k);
		put_origin(c, out, &origin);
		buf_reset(b);
		put_setting_value(b, out, s->base, k);
		out->value = s->refused[i] ? NULL : conf_keep(c, buf_view(b));
	}
}

void
conf_settings_make(struct conf_reading *r)
{
	size_t count = 0;
	struct buf b;

	for (const struct conf_scope *s = r->scopes; s != NULL; s = s->next)
		count += conf_key_count(s->section);
	r->conf->settings = xcalloc(count, sizeof(*r->conf->settings));
	buf_init(&b, VALUE_JSON_MAX);
	for (const struct conf_scope *s = r->scopes; s != NULL; s = s->next)
		if (s->section->item_size == 0 || s->name != NULL)
			add_scope(r, s, &b);
	buf_free(&b);
}

const struct admin_setting *
conf_setting(const struct conf *c, const char *section, const char *key)
{
	for (unsigned i = 0; i < c->setting_count; i++)
		if (strcmp(c->settings[i].section, section) == 0 &&
		    strcmp(c->settings[i].key, key) == 0)
			return &c->settings[i];
	return NULL;
}
