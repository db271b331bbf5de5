/* SPDX-License-Identifier: MIT */
/*
 * test_tenant_end: what an order leaves to be done, and every step of it failing, over a catalog
 * and a Neon that answer what the test has set. What is asked of both is written down, in order.
 */
#include "tenant_lookup_fixture.h"

#include "tenant/tenant_end.h"
#include "fake_neon.h"

/* ---- a catalog with one row, acme's, that an order is in ---- */

static struct {
	char asked[1024];	 /* "claim PATCH done ": what was asked, in order */
	const char *order;	 /* of the row; NULL: nothing is owed */
	const char *stage;	 /* of its receipt */
	const char *project_id;	 /* NULL: none */
	const char *ordered_ago; /* seconds */
	const char *posted_ago;	 /* NULL: no creation is open */
	const char *lost;	 /* the statement that is not answered */
	unsigned newer_orders;	 /* how often [done] finds one */
	unsigned batches;	 /* of documents, but for the last empty one */
	unsigned busy;		 /* how often another is found at work */
	char fail_rest_ms[24];
} it;

static const struct {
	const char *part, *name; /* of the SQL */
} statements[] = {
	{ "SET end_attempt = $2", "claim" },
	{ "SELECT 1 FROM public.tenants", "look" },
	{ "end_attempt = NULL, end_error = $4", "fail" },
	{ "SET requests_ended_at", "note_requests" },
	{ "SET database_deleted_at", "note_database" },
	{ "SET redis_cleared_at", "note_redis" },
	{ "WITH mine", "documents" },
	{ "end_order = NULL", "done" },
	{ "SELECT state", "lookup" },
};

static const char *
statement_name(const char *sql)
{
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (strstr(sql, statements[i].part) != NULL)
			return statements[i].name;
	return "unknown";
}

static struct fake_row end_row;

static void
answer_claim(struct fake_result *a)
{
	end_row = (struct fake_row){ { it.order, "1", it.ordered_ago, it.stage, "neon",
	    "tg-test-acme", it.project_id, it.project_id != NULL ? "ep-1" : NULL, "h", "d", "u",
	    it.posted_ago, "f" } };
	a->rows = &end_row;
	a->count = it.order != NULL && it.busy == 0 ? 1 : 0;
}

static void
advance(const char *name)
{
	if (strcmp(name, "note_requests") == 0)
		it.stage = "database";
	else if (strcmp(name, "note_database") == 0)
		it.stage = "redis";
	else if (strcmp(name, "note_redis") == 0)
		it.stage = "catalog";
	else if (strcmp(name, "done") == 0 && it.newer_orders == 0)
		it.order = NULL;
}

static void
answer_end(const struct pg_query *q, struct fake_result *a)
{
	static struct fake_row one = { { "1" } }, none = { { "0" } };
	const char *name = statement_name(q->sql);

	fake_neon_note(name);
	if (it.lost != NULL && strcmp(it.lost, name) == 0) {
		a->status = PG_LOST;
		return;
	}
	advance(name);
	a->changed = 1;
	if (strcmp(name, "claim") == 0)
		answer_claim(a);
	if (strcmp(name, "look") == 0 && it.busy > 0) {
		it.busy--;
		a->rows = &one;
		a->count = 1;
	}
	if (strcmp(name, "documents") == 0) {
		a->rows = it.batches > 0 ? &one : &none;
		it.batches -= it.batches > 0 ? 1 : 0;
		a->count = 1;
	}
	if (strcmp(name, "done") == 0 && it.newer_orders > 0) {
		it.newer_orders--;
		a->changed = 0;
	}
	if (strcmp(name, "fail") == 0)
		snprintf(it.fail_rest_ms, sizeof(it.fail_rest_ms), "%s", q->params[4].data);
}

/* ---- the stories ---- */

static void
an_order_is(const char *order)
{
	memset(&it, 0, sizeof(it));
	fake_web_plays = fake_neon_fetch;
	fake_neon = (struct fake_neon){ .owner = "acme",
		.patch = 200,
		.branches = 200,
		.deletes = 200,
		.list = 200 };
	it.order = order;
	it.ordered_ago = "0";
	it.stage = strcmp(order, "delete") == 0 ? "requests" : NULL;
	it.project_id = "p-1";
	fake_catalog_returns(answer_end, 0);
}

static const char *
carried_out(struct tenants_fixture *w)
{
	tenant_end_begin(w->tenants, "acme");
	tenant_end_begin(w->tenants, "acme");
	/* What Redis is to take once it is back goes on meanwhile. */
	while ((w->redis.is_away || w->redis.refuses) && map_count(w->tenants->ends) > 0)
		worker_turn(w->worker, 20);
	if (!w->redis.is_away && !w->redis.refuses)
		turn_until_idle(w->worker);
	return fake_neon.asked;
}

static void
a_suspension_disables_the_endpoint(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("suspend");
	assert_string_equal(carried_out(w), "claim PATCH off done ");
	assert_true(w->redis.marks >= 2);
	assert_int_equal(w->redis.publishes, 2);
	assert_true(pools_forgotten > 0);
}

static void
a_resumption_enables_it_before_it_is_told(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("resume");
	assert_string_equal(carried_out(w), "claim PATCH on done ");
	assert_int_equal(w->redis.publishes, 1);
}

static void
a_deletion_goes_stage_by_stage(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("delete");
	it.batches = 2;
	assert_string_equal(carried_out(w),
	    "claim note_requests claim GET DELETE GET note_database claim note_redis "
	    "claim documents claim documents claim documents done ");
}

static void
it_goes_on_where_another_was_killed(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("delete");
	it.stage = "redis";
	assert_string_equal(carried_out(w), "claim note_redis claim documents done ");
	an_order_is("delete");
	fake_neon.branches = 404;
	it.stage = "database";
	assert_string_equal(carried_out(w),
	    "claim GET GET note_database claim note_redis claim "
	    "documents done ");
}

static void
an_endpoint_that_is_gone_is_as_good(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("suspend");
	fake_neon.patch = 404;
	assert_string_equal(carried_out(w), "claim PATCH off done ");
}

static void
a_tenant_without_a_project_asks_nothing_of_neon(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("suspend");
	it.project_id = NULL;
	assert_string_equal(carried_out(w), "claim done ");
}

static void
what_neon_does_not_do_is_owed(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("suspend");
	fake_neon.patch = 500;
	assert_string_equal(carried_out(w), "claim PATCH off fail ");
	assert_string_equal(it.fail_rest_ms, "15000");
	an_order_is("delete");
	it.stage = "database";
	fake_neon.deletes = 0;
	assert_string_equal(carried_out(w), "claim GET DELETE fail ");
	an_order_is("delete");
	it.stage = "database";
	fake_neon.branches = 403;
	assert_string_equal(carried_out(w), "claim GET fail ");
}

/* Whatever statement is lost, nothing is done after it that would need it. */
static void
a_catalog_that_is_away_stops_it(void **state)
{
	static const struct {
		const char *order, *stage, *lost, *asked;
	} cases[] = {
		{ "suspend", NULL, "claim", "claim " },
		{ "suspend", NULL, "done", "claim PATCH off done " },
		{ "resume", NULL, "done", "claim PATCH on done " },
		{ "delete", "requests", "note_requests", "claim note_requests " },
		{ "delete", "catalog", "documents", "claim documents " },
		{ "delete", "catalog", "done", "claim documents done " },
	};
	struct tenants_fixture *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		an_order_is(cases[i].order);
		it.stage = cases[i].stage;
		it.lost = cases[i].lost;
		assert_string_equal(carried_out(w), cases[i].asked);
		assert_non_null(it.order);
	}
}

static void
a_newer_order_is_carried_out_after_it(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("suspend");
	it.newer_orders = 1;
	assert_string_equal(carried_out(w), "claim PATCH off done claim PATCH off done ");
}

static void
anothers_work_is_waited_for(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("suspend");
	it.busy = 2;
	assert_string_equal(carried_out(w), "claim look claim look claim PATCH off done ");
}

static void
a_project_that_names_another_is_not_deleted(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("delete");
	it.stage = "database";
	fake_neon.owner = "bob";
	assert_string_equal(carried_out(w), "claim GET fail ");
}

static void
one_of_its_name_that_names_nobody_is_left(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("delete");
	it.stage = "database";
	it.project_id = NULL;
	fake_neon.listed = "p-2";
	fake_neon.owner = NULL;
	assert_null(strstr(carried_out(w), "DELETE"));
	assert_non_null(strstr(fake_neon.asked, "note_database"));
	an_order_is("delete");
	it.stage = "database";
	it.project_id = NULL;
	fake_neon.listed = "p-2";
	assert_non_null(strstr(carried_out(w), "GET GET DELETE GET note_database"));
}

static void
a_creation_that_may_still_arrive_is_waited_for(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("delete");
	it.stage = "database";
	it.project_id = NULL;
	it.posted_ago = "5";
	assert_string_equal(carried_out(w), "claim GET fail ");
	assert_string_equal(it.fail_rest_ms, "3000");
	an_order_is("delete");
	it.stage = "database";
	it.project_id = NULL;
	it.posted_ago = "500";
	assert_non_null(strstr(carried_out(w), "claim GET note_database"));
}

/* One was found and deleted; of a creation that was sent twice the other may be on its way. */
static void
a_second_creation_is_waited_for_too(void **state)
{
	struct tenants_fixture *w = *state;

	an_order_is("delete");
	it.stage = "database";
	it.posted_ago = "5";
	assert_string_equal(carried_out(w), "claim GET DELETE GET fail ");
	an_order_is("delete");
	it.stage = "database";
	it.posted_ago = "500";
	assert_non_null(strstr(carried_out(w), "claim GET DELETE GET note_database"));
}

/* The catalog takes half of the lease for each answer: the batch of documents would be answered
 * when another may have the work, and is not waited for. (What is answered is noted, not what is
 * asked.) */
static void
nothing_is_done_after_the_lease(void **state)
{
	struct tenants_fixture *w = *state;
	uint64_t was = w->tenants->now.lease_us;
	unsigned asked;

	w->tenants->now.lease_us = 1600 * 1000;
	an_order_is("delete");
	it.stage = "catalog";
	it.batches = 1;
	fake_catalog_returns(answer_end, 850 * 1000);
	asked = fake_catalog_asked_in(CATALOG_TENANTS);
	assert_string_equal(carried_out(w), "claim ");
	assert_int_equal(fake_catalog_asked_in(CATALOG_TENANTS) - asked, 2);
	w->tenants->now.lease_us = was;
}

static void
redis_away_leaves_it_owed_until_its_copies_are_over(void **state)
{
	struct tenants_fixture *w = *state;

	for (unsigned i = 0; i < 2; i++) {
		w->redis.is_away = i == 0;
		w->redis.refuses = i == 1;
		an_order_is("suspend");
		assert_string_equal(carried_out(w), "claim PATCH off fail ");
		an_order_is("suspend");
		it.ordered_ago = "601";
		assert_string_equal(carried_out(w), "claim PATCH off done ");
	}
	w->redis.is_away = w->redis.refuses = false; /* so that what was to be told of it is over */
	turn_until_idle(w->worker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_suspension_disables_the_endpoint),
		CASE(a_resumption_enables_it_before_it_is_told),
		CASE(a_deletion_goes_stage_by_stage),
		CASE(it_goes_on_where_another_was_killed),
		CASE(an_endpoint_that_is_gone_is_as_good),
		CASE(a_tenant_without_a_project_asks_nothing_of_neon),
		CASE(what_neon_does_not_do_is_owed),
		CASE(a_catalog_that_is_away_stops_it),
		CASE(a_newer_order_is_carried_out_after_it),
		CASE(anothers_work_is_waited_for),
		CASE(a_project_that_names_another_is_not_deleted),
		CASE(one_of_its_name_that_names_nobody_is_left),
		CASE(a_creation_that_may_still_arrive_is_waited_for),
		CASE(a_second_creation_is_waited_for_too),
		CASE(nothing_is_done_after_the_lease),
		CASE(redis_away_leaves_it_owed_until_its_copies_are_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
