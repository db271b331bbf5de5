/* SPDX-License-Identifier: MIT */
/*
 * fuzz_neon_answer: what Neon's API answers, or what calls itself that, through each of the
 * readers. What goes into a URL's path is an id, what is connected to is a host; a project is ours
 * only where its note says our tenant, and nobody else.
 *
 * sources: src/tenant/names.c src/tenant/neon_read.c src/base/alloc.c src/base/arena.c
 * sources: src/base/buf.c src/base/clock.c src/base/digest.c src/base/err.c src/base/json.c
 * sources: src/base/json_count.c src/base/json_put.c src/base/log.c src/base/log_repeat.c
 * sources: src/base/secret.c src/base/utf8.c src/wire/pg_url.c src/wire/url.c
 * sources: src/base/json_memory.c
 * packages: libpq libcurl jansson openssl
 */
#include <string.h>

#include "tenant/neon_read.h"
#include "tests/fuzz/fuzz_check.h"

static void
check_id(const char *id)
{
	fuzz_check(id[0] == '\0' || name_provider_id(slice_str(id)));
}

static void
check_tenant_row(const struct tenant_row *row, bool is_whole)
{
	check_id(row->project_id);
	check_id(row->branch_id);
	check_id(row->endpoint_id);
	if (!is_whole)
		return;
	fuzz_check(name_host(slice_str(row->tenant.host)) && row->tenant.port != 0);
	fuzz_check(row->tenant.dbname[0] != '\0' && row->tenant.user[0] != '\0');
}

static void
read_rows(const json_t *o)
{
	static struct tenant_row created, told; /* large */
	struct err err = { 0 };
	bool is_whole;

	memset(&created, 0, sizeof(created));
	is_whole = neon_read_created(o, &created, &err);
	fuzz_check(is_whole == !err_is(&err) && (!is_whole || created.project_id[0] != '\0'));
	neon_read_main_branch(o, &created);
	err = (struct err){ 0 };
	fuzz_check(neon_read_endpoint(o, &created, &err) == (created.endpoint_id[0] != '\0'));
	check_tenant_row(&created, is_whole);
	memset(&told, 0, sizeof(told));
	err = (struct err){ 0 };
	is_whole = neon_read_uri(o, &told, &err);
	fuzz_check(is_whole == !err_is(&err));
	neon_endpoint_from_host(&told);
	check_tenant_row(&told, is_whole);
}

static bool
count_project(const char *id, const char *name, void *arg)
{
	fuzz_check(name_provider_id(slice_str(id)) && name[0] != '\0');
	++*(unsigned *)arg;
	return true;
}

static void
read_lists(const json_t *o)
{
	const struct neon_names names = { "tg-test-acme-000000000000000000000000", "tg-test-acme" };
	struct neon_inventory inventory = { .hits = 0 };
	unsigned seen = 0, length = 0;
	char cursor[CURSOR_MAX] = "";
	struct err err = { 0 };

	if (neon_read_page(o, &names, &inventory, &err))
		for (unsigned i = 0; i < inventory.hits && i < NEON_HITS_MAX; i++)
			fuzz_check(name_provider_id(slice_str(inventory.hit[i].id)));
	else
		fuzz_check(err_is(&err));
	err = (struct err){ 0 };
	if (neon_read_projects(o, count_project, &seen, &length, cursor, &err))
		fuzz_check(seen == length && strlen(cursor) < CURSOR_MAX);
	else
		fuzz_check(err_is(&err));
}

static void
read_notes(const json_t *o)
{
	static const char *const tenants[] = { "acme", "bolt" };
	struct neon_operations operations;
	char name[PROJECT_NAME_SIZE];
	struct err err = { 0 };
	unsigned ours = 0;

	for (unsigned i = 0; i < 2; i++)
		ours += neon_read_owner(o, "test", tenants[i], true) == OWNER_OURS;
	fuzz_check(ours < 2 && (ours == 0 || neon_read_is_noted(o)));
	neon_read_name(o, name);
	if (neon_read_operations(o, &operations, &err))
		fuzz_check((operations.failed > 0 || operations.failed_action[0] == '\0') &&
		    strlen(operations.failed_action) < sizeof(operations.failed_action));
}

static void
read_error(struct slice text)
{
	char message[160], code[40];

	neon_read_message(text, message, sizeof(message));
	neon_read_code(text, code, sizeof(code));
	fuzz_check(strlen(message) <= 120 && strlen(code) < sizeof(code));
	for (const char *c = message; *c != '\0'; c++)
		fuzz_check(*c >= ' ' && *c < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice text = slice_of((const char *)bytes, n);
	struct err err = { 0 };
	json_t *o = json_read_object(text, &err);

	read_rows(o);
	read_lists(o);
	read_notes(o);
	read_error(text);
	json_decref(o);
	return 0;
}
