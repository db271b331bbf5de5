/* SPDX-License-Identifier: MIT */
/* reload_outcome.c: see the header. */
#include "reload_outcome.h"

#include <jansson.h>
#include <string.h>

#include "tenantgate/base/log.h"

#define NAMES_MAX 1024 /* bytes of the log's names; what does not fit is left out */

/* ---- JSON ---- */

static json_t *
lines_json(const struct buf *lines)
{
	json_t *list = json_array();
	const char *p = lines->data, *end = p == NULL ? NULL : p + lines->len;

	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t n = stop == NULL ? (size_t)(end - p) : (size_t)(stop - p);

		(void)json_array_append_new(list, json_stringn(p, n));
		p += n + (stop != NULL);
	}
	return list;
}

/* A value is JSON already, of any kind. */
static json_t *
value_json(const char *text)
{
	return json_loads(text, JSON_DECODE_ANY, NULL);
}

static json_t *
setting_json(const struct admin_setting *s)
{
	json_t *o = json_pack("{s:s, s:s, s:o}", "section", s->section, "key", s->key, "value",
	    value_json(s->value));

	if (s->in_file != NULL)
		(void)json_object_set_new(o, "inFile", value_json(s->in_file));
	if (s->place != NULL)
		(void)json_object_set_new(o, "place", json_string(s->place));
	return o;
}

static json_t *
changed_json(const struct conf *c)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < c->setting_count; i++)
		if (c->settings[i].is_changed)
			(void)json_array_append_new(list, setting_json(&c->settings[i]));
	return list;
}

static json_t *
restart_json(const struct conf *c)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < c->setting_count; i++)
		if (c->settings[i].in_file != NULL)
			(void)json_array_append_new(list, setting_json(&c->settings[i]));
	return list;
}

/* Sections that were there and are not any more, each once: its settings stand together. */
static json_t *
removed_json(const struct conf *newest, const struct conf *before)
{
	json_t *list = json_array();
	const char *last = "";

	for (unsigned i = 0; i < before->setting_count; i++) {
		const struct admin_setting *s = &before->settings[i];

		if (strcmp(s->section, last) == 0)
			continue;
		last = s->section;
		if (conf_setting(newest, s->section, s->key) == NULL)
			(void)json_array_append_new(list, json_string(s->section));
	}
	return list;
}

static char *
json_text(json_t *json)
{
	char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}

char *
reload_outcome_refused(const struct buf *errors)
{
	return json_text(lines_json(errors));
}

char *
reload_outcome_told(const struct conf *newest, const struct conf *before,
    const struct buf *warnings, bool is_applied)
{
	return json_text(json_pack("{s:b, s:o, s:o, s:o, s:o}", "applied", is_applied, "changed",
	    changed_json(newest), "removed", removed_json(newest, before), "needsRestart",
	    restart_json(newest), "warnings", lines_json(warnings)));
}

/* ---- the log ---- */

static void
names_add(char names[NAMES_MAX], const struct admin_setting *s)
{
	size_t n = strlen(names);
	const char *between = n == 0 ? "" : ", ";

	if (n + strlen(between) + strlen(s->key) < NAMES_MAX)
		(void)snprintf(names + n, NAMES_MAX - n, "%s%s", between, s->key);
}

void
reload_log_refused(const char *path, const struct buf *errors)
{
	struct buf text;

	buf_init(&text, errors->len + 1);
	for (size_t i = 0; i < errors->len; i++)
		buf_putc(&text, errors->data[i] == '\n' ? ' ' : errors->data[i]);
	log_event(LOG_ERR, "conf.refused", NULL,
	    "The configuration %s was refused, and nothing of it is in force; correct it and "
	    "reload it again. %.*s",
	    path, SLICE_ARG(slice_trim(buf_view(&text))));
	buf_free(&text);
}

void
reload_log_applied(const char *path, const struct conf *newest)
{
	char waiting[NAMES_MAX] = "";
	unsigned changed = 0;

	for (unsigned i = 0; i < newest->setting_count; i++) {
		changed += newest->settings[i].is_changed;
		if (newest->settings[i].in_file != NULL)
			names_add(waiting, &newest->settings[i]);
	}
	log_event(LOG_NOTICE, "conf.reloaded", NULL,
	    "The configuration %s was read anew; %u settings have changed, for what begins from "
	    "now on.",
	    path, changed);
	if (waiting[0] != '\0')
		log_event(LOG_WARNING, "conf.needs_restart", NULL,
		    "Changes of these keys are applied by a restart alone: %s.", waiting);
}
