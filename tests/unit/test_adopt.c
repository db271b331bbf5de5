/* SPDX-License-Identifier: MIT */
/*
 * What a URL of an adoption may say, which names are ours, and whose a project is that has no
 * tenant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tenant/adopt.h"
#include "tenant/orphans_internal.h"

static struct tenant_row
url_row(const char *url)
{
	struct tenant_row row = { 0 };
	struct err err = { 0 };

	if (!adopt_url_read(url, &row, &err))
		fail_msg("%s: %s", url, err.detail);
	return row;
}

static void
url_refused(const char *url, const char *says)
{
	struct tenant_row row = { 0 };
	struct err err = { 0 };

	assert_false(adopt_url_read(url, &row, &err));
	assert_int_equal(err.code, ERR_INVALID_FIELD);
	if (strstr(err.detail, says) == NULL || strstr(err.detail, "hunter2") != NULL)
		fail_msg("%s: %s", url, err.detail);
}

static void
a_url_is_read_whole(void **state)
{
	struct tenant_row row = url_row(
	    "postgresql://me:hunter2@Db.Example:6432/app?sslmode=require&channel_binding=require");

	(void)state;
	assert_int_equal(row.tenant.provider, PROVIDER_URL);
	assert_string_equal(row.tenant.host, "Db.Example");
	assert_int_equal(row.tenant.port, 6432);
	assert_string_equal(row.tenant.dbname, "app");
	assert_string_equal(row.tenant.user, "me");
	assert_string_equal(row.tenant.password, "hunter2");
	assert_string_equal(row.tenant.sslmode, "require");
	assert_string_equal(row.tenant.channel_binding, "require");
}

static void
one_database_has_one_id_however_it_is_written(void **state)
{
	struct tenant_row a = url_row("postgresql://me:hunter2@db.example/app");
	struct tenant_row b = url_row("postgres://you:other@DB.example:5432/app?sslmode=disable");
	struct tenant_row other = url_row("postgresql://me:hunter2@db.example/app2");

	(void)state;
	assert_string_equal(a.project_id, b.project_id);
	assert_string_not_equal(a.project_id, other.project_id);
	assert_int_equal(strncmp(a.project_id, "url-", 4), 0);
	assert_true(name_provider_id(slice_str(a.project_id)));
}

static void
what_leads_elsewhere_is_refused(void **state)
{
	(void)state;
	url_refused("postgresql://me:hunter2@a,b/app", "several hosts");
	url_refused("postgresql://me:hunter2@a/app?host=b,c", "several hosts");
	url_refused("postgresql://me:hunter2@%2Ftmp/app", "Unix socket");
	url_refused("postgresql://me:hunter2@/app?host=/tmp", "Unix socket");
	url_refused("postgresql://me:hunter2@a/app?hostaddr=10.0.0.1", "hostaddr");
	url_refused("postgresql://me:hunter2@a/app?service=x", "service");
	url_refused("postgresql://me:hunter2@a/app?passfile=/x", "passfile");
	url_refused("postgresql://me:hunter2@a/app?sslrootcert=/etc/shadow", "sslrootcert");
	url_refused("postgresql://me:hunter2@a/app?sslkey=/x", "sslkey");
	url_refused("postgresql://me:hunter2@a/app?options=-csearch_path=x", "options");
	url_refused("postgresql://me@a/app", "no password");
	url_refused("https://me:hunter2@a/app", "postgresql://");
}

/* Whether a database may be at the address that Neon's API, being at api_url, names. */
static bool
neon_may_name(const char *address, const char *api_url, const char *allowed)
{
	struct tenants_conf conf = { .neon_api_url = api_url, .allowed_networks = allowed };
	struct in6_addr binary;
	struct err err = { 0 };

	assert_true(tenants_conf_networks(&conf, &err));
	assert_true(address_read(slice_str(address), AF_UNSPEC, &binary));
	if (allowed == NULL)
		assert_int_equal(conf.allowed.count, 0);
	return network_list_has(&conf.neon_allowed, &binary);
}

static void
what_is_on_this_machine_only_a_stand_in_on_it_names(void **state)
{
	(void)state;
	assert_true(neon_may_name("127.0.0.1", "http://127.0.0.1:8080/api/v2", NULL));
	assert_true(neon_may_name("127.0.0.9", "http://localhost:8080/api/v2", NULL));
	assert_true(neon_may_name("::1", "http://[::1]:8080/api/v2", NULL));
	assert_false(neon_may_name("10.0.0.1", "http://127.0.0.1:8080/api/v2", NULL));
	assert_false(neon_may_name("127.0.0.1", "https://console.neon.tech/api/v2", NULL));
	assert_false(neon_may_name("127.0.0.1", "https://localhost.example/api/v2", NULL));
	assert_false(neon_may_name("127.0.0.1", "https://127.0.0.1.example/api/v2", NULL));
	assert_false(neon_may_name("127.0.0.1", "https://127.0.0.1@console.neon.tech/", NULL));
	assert_false(neon_may_name("127.0.0.1", "http://10.0.0.1/api/v2", NULL));
	assert_false(neon_may_name("127.0.0.1", NULL, NULL));
	assert_true(neon_may_name("10.1.0.1", "https://console.neon.tech/api/v2", "10.1.0.0/16"));
	assert_false(neon_may_name("10.2.0.1", "https://console.neon.tech/api/v2", "10.1.0.0/16"));
}

static void
names_that_we_give_are_known(void **state)
{
	char name[PROJECT_NAME_SIZE];

	(void)state;
	name_project(name, "prod", "acme");
	assert_true(name_is_given(name));
	assert_false(name_is_given("tg-prod-acme"));
	assert_false(name_is_given("spring-example-302709"));
	assert_false(name_is_given("tg-prod-acme-0123456789abcdef0123456"));
	assert_false(name_is_given("tg-prod-acme-0123456789ABCDEF01234567"));
	assert_false(name_is_given("tg--0123456789abcdef01234567" + 1));
	assert_false(name_is_given(""));
}

/* notes: what is in "annotations". */
static bool
project_is_ours(const char *name, const char *notes, char tenant[TENANT_ID_MAX + 1])
{
	struct orphan_project p = { 0 };
	struct err err = { 0 };
	char text[1024];
	json_t *o;
	bool ours;

	snprintf(text, sizeof(text), "{\"branches\":[],\"annotations\":{%s}}", notes);
	snprintf(p.name, sizeof(p.name), "%s", name);
	o = json_read_object(slice_str(text), &err);
	assert_non_null(o);
	ours = orphan_is_ours(o, "prod", &p);
	json_decref(o);
	snprintf(tenant, TENANT_ID_MAX + 1, "%s", p.tenant);
	return ours;
}

#define NOTE(branch, in, of) \
	"\"" branch "\":{\"value\":{\"tenantgate_environment\":\"" in \
	"\",\"tenantgate_tenant\":\"" of "\"}}"
#define OLD_NOTE(of) "\"br\":{\"value\":{\"tenantgate_tenant\":\"" of "\"}}"

static void
a_project_is_ours_by_its_annotations_or_its_name(void **state)
{
	char tenant[TENANT_ID_MAX + 1], name[PROJECT_NAME_SIZE];

	(void)state;
	assert_true(project_is_ours("x", NOTE("br", "prod", "acme"), tenant));
	assert_string_equal(tenant, "acme");
	assert_false(project_is_ours("x", NOTE("br", "dev", "acme"), tenant));
	assert_false(project_is_ours("x",
	    NOTE("br-1", "prod", "acme") "," NOTE("br-2", "dev", "acme"), tenant));
	assert_true(project_is_ours("tg-prod-acme", OLD_NOTE("acme"), tenant));
	assert_false(project_is_ours("tg-prod-acme", OLD_NOTE("other"), tenant));
	assert_false(project_is_ours("tg-prod-acme", "", tenant));
	name_project(name, "prod", "acme");
	assert_true(project_is_ours(name, "", tenant));
	assert_string_equal(tenant, "acme");
	assert_false(project_is_ours(name, NOTE("br", "dev", "acme"), tenant));
	name_project(name, "prod-eu", "acme");
	assert_false(project_is_ours(name, "", tenant));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_is_read_whole),
		cmocka_unit_test(one_database_has_one_id_however_it_is_written),
		cmocka_unit_test(what_leads_elsewhere_is_refused),
		cmocka_unit_test(what_is_on_this_machine_only_a_stand_in_on_it_names),
		cmocka_unit_test(names_that_we_give_are_known),
		cmocka_unit_test(a_project_is_ours_by_its_annotations_or_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
