/* SPDX-License-Identifier: MIT */
/*
 * conf: loading. The rooms' own defaults first (for members that are no keys), then the table's,
 * then the file, then what must hold between keys.
 */
#include "conf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conf_room.h"
#include "config.h"
#include "tenantgate/base/seal.h"
#include "tenantgate/base/secret.h"

struct conf_string {
	struct conf_string *next;
	size_t len;
	char text[];
};

const char *
conf_keep(struct conf *conf, struct slice text)
{
	struct conf_string *s = malloc(sizeof(*s) + text.len + 1);

	if (s == NULL)
		abort();
	s->len = text.len;
	if (text.len > 0)
		memcpy(s->text, text.p, text.len);
	s->text[text.len] = '\0';
	s->next = conf->owned;
	conf->owned = s;
	return s->text;
}

void
conf_free(struct conf *conf)
{
	struct conf_string *s;

	while ((s = conf->owned) != NULL) {
		conf->owned = s->next;
		bytes_wipe(s->text, s->len);
		free(s);
	}
	*conf = (struct conf){ 0 };
}

void
conf_say(struct conf_reading *r, const struct conf_place *at, const char *fmt, ...)
{
	char sentence[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	for (char *p = sentence; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (at->line == 0)
		buf_printf(r->errors, "%s: %s\n", at->file, sentence);
	else
		buf_printf(r->errors, "%s:%u: %s\n", at->file, at->line, sentence);
}

static void
set_defaults(struct conf_reading *r)
{
	static const struct conf_place table = { "defaults", 0 };
	struct conf *conf = r->conf;

	http_conf_init(&conf->http);
	api_conf_init(&conf->api);
	pool_conf_init(&conf->pool);
	auth_conf_init(&conf->auth);
	tenants_conf_init(&conf->tenants);
	model_conf_init(&conf->model);
	conf->web.user_agent = PACKAGE "/" VERSION;
	for (unsigned i = 0; i < conf_key_count; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (k->type == CONF_GROUP || k->standard[0] == '$')
			continue;
		if (!conf_store(r, &table, k, slice_str(k->standard)))
			abort();
	}
}

/* "" and 0 where the room knows better. */
static void
fill_in_extract(struct extract_conf *c)
{
	struct extract_conf own;

	extract_conf_init(&own);
	if (*c->program == '\0')
		c->program = own.program;
	if (c->parallel_max == 0)
		c->parallel_max = own.parallel_max;
}

static struct conf_place
place_of(const struct conf_reading *r, const char *path, const char *name)
{
	for (unsigned i = 0; i < conf_key_count; i++)
		if (conf_keys[i].type != CONF_GROUP && strcmp(conf_keys[i].name, name) == 0 &&
		    r->seen[i].file != NULL)
			return r->seen[i];
	return (struct conf_place){ path, 0 };
}

static void
check(struct conf_reading *r, const char *path, bool fine, const char *name, const char *sentence)
{
	struct conf_place at = place_of(r, path, name);

	if (!fine)
		conf_say(r, &at, "%s %s", name, sentence);
}

static void
check_musts(struct conf_reading *r, const char *path)
{
	for (unsigned i = 0; i < conf_key_count; i++)
		if (conf_keys[i].type != CONF_GROUP && conf_keys[i].standard[0] == '$' &&
		    r->seen[i].file == NULL)
			check(r, path, false, conf_keys[i].name, "must be set");
}

static bool
keys_are_hex(const char *keys)
{
	struct seal *seal = seal_new(keys);

	if (seal != NULL)
		seal_free(seal);
	return seal != NULL;
}

static bool
is_sslmode(const char *text)
{
	return strcmp(text, "disable") == 0 || strcmp(text, "prefer") == 0 ||
	    strcmp(text, "require") == 0 || strcmp(text, "verify-ca") == 0 ||
	    strcmp(text, "verify-full") == 0;
}

static void
check_url(struct conf_reading *r, const char *path, const char *name, const char *url)
{
	struct arena *arena = arena_new(64u << 10);
	struct pg_target target = { 0 };
	struct err err = { 0 };

	assert(arena != NULL);
	if (url != NULL && *url != '\0' && !catalog_parse_url(arena, url, &target, &err)) {
		struct conf_place at = place_of(r, path, name);

		conf_say(r, &at, "%s: %s", name, err.detail);
	}
	arena_free(arena);
}

/* What one key asks of another. */
static void
check_all(struct conf_reading *r, const char *path)
{
	const struct conf *c = r->conf;
	bool neon = c->tenants.provider == PROVIDER_NEON;

	check_musts(r, path);
	check_url(r, path, "catalog_url", c->catalog.url);
	check_url(r, path, "postgres_admin_url", c->tenants.postgres_admin_url);
	check(r, path, c->seal_keys == NULL || keys_are_hex(c->seal_keys), "seal_keys",
	    "takes 64 hexadecimal digits a key, a comma between keys");
	check(r, path, !neon || *c->tenants.neon_api_key != '\0', "neon_api_key",
	    "must be set when provider = neon");
	check(r, path, neon || *c->tenants.postgres_admin_url != '\0', "postgres_admin_url",
	    "must be set when provider = postgres");
	check(r, path, is_sslmode(c->tenants.neon_sslmode), "neon_sslmode",
	    "is disable, prefer, require, verify-ca or verify-full");
	check(r, path, c->api.chunk_overlap < c->api.chunk_size, "chunk_overlap",
	    "must be less than chunk_size");
}

bool
conf_load(struct conf *conf, const char *path, struct buf *errors)
{
	struct conf_reading r = { .conf = conf, .errors = errors };

	*conf = (struct conf){ 0 };
	set_defaults(&r);
	conf_read_file(&r, path, NULL);
	fill_in_extract(&conf->api.extract);
	check_all(&r, path);
	return errors->len == 0 && !errors->failed;
}
