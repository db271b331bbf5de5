/* SPDX-License-Identifier: MIT */
/*
 * The defaults of the table are the modules' own: an empty configuration file changes nothing. And
 * the real modules accept what the table gives.
 */
#include "conf_fixture.h"

/* Where the table differs: the module has no default, or one that a file cannot spell. */
static bool
is_ours(const char *name)
{
	static const char *const ours[] = { "listen_port", "server_header", "extract_program",
		"extract_max_parallel" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return false;
}

/* False for keys of modules without defaults, and for those of no module. */
static bool
module_has(const struct conf_key *k)
{
	size_t at = k->offset;

	return at >= offsetof(struct conf, http) &&
	    !(at >= offsetof(struct conf, catalog) && at < offsetof(struct conf, pool)) &&
	    !(at >= offsetof(struct conf, redis) && at < offsetof(struct conf, auth)) &&
	    at < offsetof(struct conf, web);
}

static const char *
text_at(const struct conf *c, const struct conf_key *k)
{
	const char *text;

	memcpy(&text, (const char *)c + k->offset, sizeof(text));
	return text == NULL ? "" : text;
}

static void
same_default(const struct conf *table, const struct conf *modules, const struct conf_key *k)
{
	const char *a = (const char *)table + k->offset, *b = (const char *)modules + k->offset;

	if (k->type == CONF_STRING || k->type == CONF_SECRET || k->type == CONF_URL) {
		if (strcmp(text_at(table, k), text_at(modules, k)) != 0)
			fail_msg("%s: \"%s\", the module has \"%s\"", k->name, text_at(table, k),
			    text_at(modules, k));
	} else if (memcmp(a, b, k->size) != 0) {
		fail_msg("%s = %s is not the module's default", k->name, k->default_text);
	}
}

static void
the_defaults_are_the_modules_own(void **state)
{
	static struct conf modules;

	(void)state;
	http_conf_init(&modules.http);
	api_conf_init(&modules.api);
	pool_conf_init(&modules.pool);
	auth_conf_init(&modules.auth);
	tenants_conf_init(&modules.tenants);
	model_conf_init(&modules.model);
	modules.plan = plan_standard;
	fine(GOOD);
	modules.tenants.neon_api_key = conf.tenants.neon_api_key;
	for (unsigned i = 0; i < conf_key_count(&conf_sections[0]); i++) {
		const struct conf_key *k = conf_key_at(&conf_sections[0], i);

		if (k->type != CONF_GROUP && module_has(k) && !is_ours(k->name))
			same_default(&conf, &modules, k);
	}
}

/* With each word that there is, however many. */
static void
every_key_of_words_refuses_another(void **state)
{
	char text[512];

	(void)state;
	for (unsigned i = 0; i < conf_section_count; i++)
		for (unsigned j = 0; j < conf_key_count(&conf_sections[i]); j++) {
			const struct conf_key *k = conf_key_at(&conf_sections[i], j);

			if (k->type != CONF_WORD)
				continue;
			snprintf(text, sizeof(text), GOOD "[%s%s]\n%s = klingon\n",
			    conf_sections[i].kind, i == 0 ? "" : " x", k->name);
			assert_false(load(text));
			assert_non_null(strstr(errors.data, ", not \"klingon\"."));
			for (const struct conf_word *w = k->words; w->word != NULL; w++)
				assert_non_null(strstr(errors.data, w->word));
		}
}

static void
a_bad_postgres_url_is_refused_without_its_secret(void **state)
{
	(void)state;
	assert_false(load("[tenantgate]\nseal_keys = " HEX64 "\nneon_api_key = k\n"
			  "catalog_url = postgresql://user:secret@:port/\n"));
	assert_non_null(strstr(errors.data, "t.conf:4: catalog_url"));
	assert_null(strstr(errors.data, "secret"));
}

static void
proxies_are_named_before_they_are_believed(void **state)
{
	(void)state;
	fine(GOOD "trusted_proxies = 10.0.0.0/8, 2001:db8::1\nproxy_protocol = on\n");
	assert_string_equal(conf.http.trusted_proxies, "10.0.0.0/8, 2001:db8::1");
	assert_true(conf.http.proxy_protocol);
	assert_false(load(GOOD "allowed_networks = 10.0.0.0/8, db.example\n"));
	assert_non_null(strstr(errors.data, "allowed_networks: "));
	assert_false(load(GOOD "trusted_proxies = 10.0.0.0/8, proxy.example\n"));
	assert_non_null(strstr(errors.data, "trusted_proxies: "));
	assert_non_null(strstr(errors.data, "\"proxy.example\" is none"));
	assert_false(load(GOOD "cors_allow_origins = malformed\n"));
	assert_non_null(strstr(errors.data, "cors_allow_origins: "));
	assert_false(load(GOOD "proxy_protocol = on\n"));
	assert_non_null(strstr(errors.data, "proxy_protocol needs trusted_proxies"));
}

static void
one_port_has_one_listener(void **state)
{
	(void)state;
	fine(GOOD "listen_port = 0\nhealth_listen_port = 0\n");
	fine(GOOD "listen_port = 8080\nhealth_listen_port = 8081\n");
	assert_false(load(GOOD "health_listen_port = 8080\n"));
	assert_non_null(
	    strstr(errors.data, "health_listen_port must be another than listen_port."));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_the_modules_own),
		cmocka_unit_test(every_key_of_words_refuses_another),
		cmocka_unit_test(a_bad_postgres_url_is_refused_without_its_secret),
		cmocka_unit_test(proxies_are_named_before_they_are_believed),
		cmocka_unit_test(one_port_has_one_listener),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
