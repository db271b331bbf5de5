/* SPDX-License-Identifier: MIT */
/*
 * test_neon_read: responses of Neon's management API, as its specification shows them, and
 * malformed or hostile ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tenant/neon_read.h"

#define PARAMETERS \
	"\"connection_parameters\":{\"database\":\"neondb\",\"password\":\"PW\"," \
	"\"role\":\"neondb_owner\",\"host\":\"ep-cool-dark-123456.us-east-2.aws.neon.tech\"," \
	"\"pooler_host\":\"ep-cool-dark-123456-pooler.us-east-2.aws.neon.tech\"}"
#define CREATED(uri) \
	"{\"project\":{\"id\":\"spring-example-302709\",\"name\":\"tg-x\"}," \
	"\"connection_uris\":[{\"connection_uri\":\"" uri "\"," PARAMETERS "}]," \
	"\"branch\":{\"id\":\"br-a-b\"},\"endpoints\":[{\"id\":\"ep-cool-dark-123456\"}]}"
#define POOLER_URI \
	"postgresql://neondb_owner:OTHER@ep-cool-dark-123456-pooler.us-east-2.aws.neon.tech/" \
	"neondb?sslmode=require&channel_binding=require"

static json_t *
parsed(const char *text)
{
	struct err err = { 0 };
	json_t *o = json_read_object(slice_str(text), &err);

	assert_non_null(o);
	return o;
}

static void
a_creation_is_read_from_its_parameters(void **state)
{
	json_t *o = parsed(CREATED(POOLER_URI));
	struct tenant_row row = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_true(neon_read_created(o, &row, &err));
	assert_string_equal(row.project_id, "spring-example-302709");
	assert_string_equal(row.branch_id, "br-a-b");
	assert_string_equal(row.endpoint_id, "ep-cool-dark-123456");
	assert_string_equal(row.tenant.host, "ep-cool-dark-123456.us-east-2.aws.neon.tech");
	assert_string_equal(row.tenant.password, "PW");
	assert_int_equal(row.tenant.port, 5432);
	json_decref(o);
}

static void
a_port_is_read_from_the_uri(void **state)
{
	json_t *o = parsed(CREATED("postgresql://u:p@127.0.0.1:6543/neondb"));
	struct tenant_row row = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_true(neon_read_created(o, &row, &err));
	assert_int_equal(row.tenant.port, 6543);
	json_decref(o);
}

static void
strange_creations_are_refused(void **state)
{
	static const char *const texts[] = { "{}", "{\"project\":null}", "{\"project\":{\"id\":7}}",
		"{\"project\":{\"id\":\"../x\"}}", "{\"project\":{\"id\":\"a\"}}",
		"{\"project\":{\"id\":\"a\"},\"connection_uris\":[]}",
		"{\"project\":{\"id\":\"a\"},\"connection_uris\":[{\"connection_parameters\":"
		"{\"host\":\"/tmp\",\"database\":\"d\",\"role\":\"r\",\"password\":\"p\"}}]}",
		"{\"project\":{\"id\":\"a\"},\"connection_uris\":[{\"connection_parameters\":"
		"{\"host\":\"h\",\"database\":\"d\",\"role\":\"r\"}}]}" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *o = parsed(texts[i]);
		struct tenant_row row = { 0 };
		struct err err = { 0 };

		assert_false(neon_read_created(o, &row, &err));
		assert_int_equal(err.code, ERR_NEON);
		json_decref(o);
	}
}

static bool
read_uri(const char *uri, struct tenant_row *row)
{
	json_t *o = json_pack("{s:s}", "uri", uri);
	struct err err = { 0 };
	bool fine = neon_read_uri(o, row, &err);

	assert_int_equal(err.code, fine ? ERR_NONE : ERR_NEON);
	assert_null(strstr(err.detail, "hunter2"));
	json_decref(o);
	return fine;
}

static void
an_unknown_parameter_does_not_stop_an_adoption(void **state)
{
	struct tenant_row row = { 0 };

	(void)state;
	assert_true(read_uri("postgresql://o:hunter2%2F@ep-x.neon.tech:6543/neondb?sslmode=require"
			     "&channel_binding=require&some_new_word=1&options=endpoint%3Dep-x",
	    &row));
	assert_string_equal(row.tenant.host, "ep-x.neon.tech");
	assert_string_equal(row.tenant.dbname, "neondb");
	assert_string_equal(row.tenant.user, "o");
	assert_string_equal(row.tenant.password, "hunter2/");
	assert_int_equal(row.tenant.port, 6543);
	assert_string_equal(row.tenant.sslmode, "");
}

static void
strange_uris_are_refused(void **state)
{
	static const char *const uris[] = { "", "ep-x.neon.tech", "postgresql://o@h/d",
		"postgresql://:hunter2@h/d", "postgresql://o:hunter2@/d", "mysql://o:hunter2@h/d",
		"postgresql://o:hunter2@h,i/d", "postgresql://o:hunter2@%2Ftmp/d",
		"postgresql://o:hunter2@h:x/d", "postgresql://o:hunter2%@h/d" };
	struct tenant_row row = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(uris) / sizeof(uris[0]); i++)
		assert_false(read_uri(uris[i], &row));
}

static bool
page(const char *text, struct neon_inventory *inv)
{
	json_t *o = parsed(text);
	struct err err = { 0 };
	const struct neon_names names = { .name = "tg-x-d1", .old_name = "tg-x" };
	bool fine = neon_read_page(o, &names, inv, &err);

	json_decref(o);
	return fine;
}

static void
only_the_very_names_count(void **state)
{
	struct neon_inventory inv = { 0 };

	(void)state;
	assert_true(
	    page("{\"projects\":[{\"id\":\"p1\",\"name\":\"tg-x-1\"},"
		 "{\"id\":\"p2\",\"name\":\"tg-x\",\"created_at\":\"2026-02-01T00:00:00Z\"},"
		 "{\"id\":\"tg-x\",\"name\":\"else\"}],\"pagination\":{\"cursor\":\"c1\"}}",
		&inv));
	assert_int_equal(inv.hits, 1);
	assert_int_equal(inv.page_length, 3);
	assert_string_equal(inv.cursor, "c1");
	assert_true(
	    page("{\"projects\":[{\"id\":\"p3\",\"name\":\"tg-x-d1\","
		 "\"created_at\":\"2026-01-01T00:00:00Z\"}],\"unavailable_project_ids\":[]}",
		&inv));
	assert_int_equal(inv.hits, 2);
	assert_string_equal(inv.hit[0].id, "p2");
	assert_true(inv.hit[0].has_old_name);
	assert_string_equal(inv.hit[1].id, "p3");
	assert_false(inv.hit[1].has_old_name);
	assert_string_equal(inv.cursor, "");
}

static void
more_hits_than_there_is_room_for_are_counted(void **state)
{
	struct neon_inventory inv = { 0 };
	unsigned i;

	(void)state;
	for (i = 0; i < NEON_HITS_MAX + 2; i++)
		assert_true(page("{\"projects\":[{\"id\":\"p\",\"name\":\"tg-x\"}]}", &inv));
	assert_int_equal(inv.hits, NEON_HITS_MAX + 2);
}

#define NOTE(branch, fields) "\"" branch "\":{\"value\":{" fields "}}"
#define OF(tenant)	     "\"tenantgate_tenant\":\"" tenant "\""
#define IN(environment)	     ",\"tenantgate_environment\":\"" environment "\""

/* With the old name, which says the environment, and with the new. */
static const struct {
	const char *notes;
	enum neon_owner old_name, new_name;
} owners[] = {
	{ "", OWNER_UNTOLD, OWNER_UNTOLD },
	{ NOTE("br-1", OF("acme") IN("prod")), OWNER_OURS, OWNER_OURS },
	{ NOTE("br-1", OF("acme")), OWNER_OURS, OWNER_UNTOLD },
	{ NOTE("br-1", OF("acme") IN("prod-eu")), OWNER_ANOTHER, OWNER_ANOTHER },
	{ NOTE("br-1", OF("eu-acme") IN("prod")), OWNER_ANOTHER, OWNER_ANOTHER },
	{ NOTE("br-1", OF("acme2")), OWNER_ANOTHER, OWNER_ANOTHER },
	{ NOTE("br-1", "\"tenantgate_environment\":\"prod\""), OWNER_UNTOLD, OWNER_UNTOLD },
	{ NOTE("br-1", "\"tenantgate_tenant\":7"), OWNER_UNTOLD, OWNER_UNTOLD },
	{ NOTE("br-1", "") "," NOTE("br-2", OF("acme") IN("prod")), OWNER_OURS, OWNER_OURS },
	{ NOTE("br-1", OF("acme") IN("prod")) "," NOTE("br-2", OF("b") IN("prod")), OWNER_ANOTHER,
	    OWNER_ANOTHER },
};

static void
a_project_is_whose_its_annotations_say(void **state)
{
	char text[400];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		json_t *o;

		snprintf(text, sizeof(text), "{\"branches\":[],\"annotations\":{%s}}",
		    owners[i].notes);
		o = parsed(text);
		assert_int_equal(neon_read_owner(o, "prod", "acme", true), owners[i].old_name);
		assert_int_equal(neon_read_owner(o, "prod", "acme", false), owners[i].new_name);
		json_decref(o);
	}
	assert_int_equal(neon_read_owner(NULL, "prod", "acme", true), OWNER_UNTOLD);
}

static void
a_partial_inventory_is_none(void **state)
{
	struct neon_inventory inv = { 0 };

	(void)state;
	assert_false(page("{\"projects\":[],\"unavailable_project_ids\":[\"p9\"]}", &inv));
	assert_false(page("{\"projects\":{}}", &inv));
	assert_false(page("{\"projects\":[{\"id\":\"a/b\",\"name\":\"tg-x\"}]}", &inv));
	assert_false(page("{\"projects\":[7]}", &inv));
}

static void
operations_are_counted(void **state)
{
	json_t *o = parsed("{\"operations\":[{\"status\":\"finished\"},{\"status\":\"skipped\"},"
			   "{\"status\":\"scheduling\"},{\"status\":\"some new one\"},"
			   "{\"status\":\"cancelled\",\"action\":\"start_compute\"}]}");
	struct neon_operations ops;
	struct err err = { 0 };

	(void)state;
	assert_true(neon_read_operations(o, &ops, &err));
	assert_int_equal(ops.running, 2);
	assert_int_equal(ops.failed, 1);
	assert_string_equal(ops.failed_action, "start_compute");
	json_decref(o);
}

static uint64_t
took(const char *operations)
{
	json_t *o = parsed(operations);
	struct neon_operations ops;
	struct err err = { 0 };

	assert_true(neon_read_operations(o, &ops, &err));
	json_decref(o);
	return ops.took_us;
}

#define OPERATION(created, updated) \
	"{\"status\":\"finished\",\"created_at\":\"2026-11-" created \
	"Z\",\"updated_at\":\"2026-11-" updated "Z\"}"

static void
operations_tell_how_long_they_took(void **state)
{
	(void)state;
	assert_int_equal(took("{\"operations\":[" OPERATION("30T23:59:59.5",
			     "30T23:59:59.75") "," OPERATION("30T23:59:59.6",
			     "30T23:59:59.900001") "]}"),
	    400001);
	assert_int_equal(took("{\"operations\":[" OPERATION("01T00:00:00", "01T00:01:02") "]}"),
	    62000000);
	assert_int_equal(took("{\"operations\":[" OPERATION("01T00:00:00",
			     "01T00:00:02") ","
					    "{\"status\":\"finished\"}]}"),
	    0);
	assert_int_equal(took("{\"operations\":[" OPERATION("01 00:00", "2") "]}"), 0);
	assert_int_equal(took("{\"operations\":[" OPERATION("02T00:00:00", "01T00:00:00") "]}"), 0);
	assert_int_equal(took("{\"operations\":[]}"), 0);
}

static void
messages_are_made_safe(void **state)
{
	char out[200];

	(void)state;
	neon_read_message(SLICE_LIT("{\"code\":\"\",\"message\":\"a\\nb\"}"), out, sizeof(out));
	assert_string_equal(out, "a?b");
	neon_read_message(SLICE_LIT("<html>524</html>"), out, sizeof(out));
	assert_string_equal(out, "");
	neon_read_code(SLICE_LIT("{\"code\":\"PROJECTS_LIMIT_EXCEEDED\"}"), out, sizeof(out));
	assert_string_equal(out, "PROJECTS_LIMIT_EXCEEDED");
	neon_read_message(slice_of(NULL, 0), out, sizeof(out));
	assert_string_equal(out, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_creation_is_read_from_its_parameters),
		cmocka_unit_test(a_port_is_read_from_the_uri),
		cmocka_unit_test(strange_creations_are_refused),
		cmocka_unit_test(an_unknown_parameter_does_not_stop_an_adoption),
		cmocka_unit_test(strange_uris_are_refused),
		cmocka_unit_test(only_the_very_names_count),
		cmocka_unit_test(more_hits_than_there_is_room_for_are_counted),
		cmocka_unit_test(a_project_is_whose_its_annotations_say),
		cmocka_unit_test(a_partial_inventory_is_none),
		cmocka_unit_test(operations_are_counted),
		cmocka_unit_test(operations_tell_how_long_they_took),
		cmocka_unit_test(messages_are_made_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
