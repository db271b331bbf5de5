/* SPDX-License-Identifier: MIT */
/*
 * conf_restart: what a file that has changed says, key by key, beside what runs: of keys that only
 * a start applies the values that run are kept. The settings are marked, so that both kinds can be
 * named (admin_setting.in_file, is_changed).
 */
#include <string.h>

#include "conf_internal.h"

static bool
is_text_key(const struct conf_key *k)
{
	return k->type == CONF_STRING || k->type == CONF_SECRET || k->type == CONF_URL;
}

static bool
member_same(const struct conf_key *k, const void *base, const void *other)
{
	const char *a, *b;

	if (!is_text_key(k))
		return memcmp((const char *)base + k->offset, (const char *)other + k->offset,
			   k->size) == 0;
	memcpy(&a, (const char *)base + k->offset, sizeof(a));
	memcpy(&b, (const char *)other + k->offset, sizeof(b));
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Of which the settings do not show all. */
static bool
is_secret_key(const struct conf_key *k)
{
	return k->type == CONF_SECRET || k->type == CONF_URL;
}

/* "plan free" -> the kind of [plan NAME], and free. */
static const struct conf_section *
section_of(const char *text, const char **name)
{
	size_t n = strcspn(text, " ");

	*name = text[n] == ' ' ? text + n + 1 : NULL;
	for (unsigned i = 0; i < conf_section_count; i++)
		if (slice_is(slice_of(text, n), conf_sections[i].kind))
			return &conf_sections[i];
	return NULL;
}

/* What the section's keys have filled; NULL: it is not there. */
static const char *
section_base(const struct conf *c, const struct conf_section *s, const char *name)
{
	const char *item = (const char *)c + s->items_offset, *own;
	unsigned count;

	if (s->item_size == 0)
		return (const char *)c;
	memcpy(&count, (const char *)c + s->count_offset, sizeof(count));
	for (; count > 0; count--, item += s->item_size) {
		memcpy(&own, item + s->name_offset, sizeof(own));
		if (strcmp(own, name) == 0)
			return item;
	}
	return NULL;
}

/* Texts that are kept are those of the first conf, which lives as long as the process. */
static void
setting_keep(struct conf *fresh, const struct conf *running, const struct conf_key *k,
    struct admin_setting *s)
{
	const struct admin_setting *old = conf_setting(running, s->section, s->key);
	bool is_same = member_same(k, fresh, running);

	memcpy((char *)fresh + k->offset, (const char *)running + k->offset, k->size);
	/* (extract_program runs by a descriptor where root has opened it: main.c.) */
	if (is_same || (!is_secret_key(k) && strcmp(old->value, s->value) == 0))
		return;
	s->in_file = s->value;
	s->value = conf_keep(fresh, slice_str(old->value));
}

void
conf_keep_running(struct conf *fresh, const struct conf *running)
{
	for (unsigned i = 0; i < fresh->setting_count; i++) {
		struct admin_setting *s = &fresh->settings[i];
		const char *name, *now, *before;
		const struct conf_section *section = section_of(s->section, &name);
		const struct conf_key *k = conf_key_find(section, slice_str(s->key));

		now = section_base(fresh, section, name);
		before = section_base(running, section, name);
		if (k->needs_restart)
			setting_keep(fresh, running, k, s);
		else
			s->is_changed = before == NULL || !member_same(k, now, before);
	}
}
