/* SPDX-License-Identifier: MIT */
/*
 * test_auth_tags: what a key's tag decides: whether it is looked up at all, and in which lane.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/key_tag.h"
#include "auth_fixture.h"
#include "tenantgate/base/clock.h"
#include "turn_until_idle.h"

static char inserted[8][SHA256_HEX_SIZE]; /* parameters; "": null */

static void
an_insert(const struct pg_query *q, struct fake_result *a)
{
	assert_int_equal(q->param_count, 8);
	for (unsigned i = 0; i < 8; i++)
		snprintf(inserted[i], sizeof(inserted[i]), "%s",
		    q->params[i].data != NULL ? q->params[i].data : "");
	auth_fixture_tag_secret(q, a);
}

static enum flow_rc
key_create_step(struct flow *f)
{
	struct check_flow *v = (struct check_flow *)f;

	return key_create(f, NULL, v->order, v->made);
}

static const struct flow_step create_steps[] = { { "create", key_create_step }, { NULL, NULL } };
static const struct flow_kind create_kind = { "create", create_steps, auth_fixture_end, NULL };

static enum err_code
create(struct auth_fixture *w, const struct key_order *order, struct key_made *made)
{
	w->checks[0].order = order;
	w->checks[0].made = made;
	flow_start(&w->checks[0].flow, &create_kind, w->worker, NULL);
	turn_until_idle(w->worker);
	return w->checks[0].err.code;
}

/* "Bearer " and GOOD's key with its tag, static. */
static const char *
tagged(void)
{
	static char text[sizeof(GOOD) + KEY_TAG_LEN];

	snprintf(text, sizeof(text), "%s", GOOD);
	key_tag_make(SLICE_LIT(TAG_SECRET), slice_str(text + strlen("Bearer ")),
	    text + sizeof(GOOD) - 1);
	return text;
}

/* The same with another letter or digit at that place: as well formed. */
static const char *
tagged_but(size_t at)
{
	static char text[sizeof(GOOD) + KEY_TAG_LEN];

	snprintf(text, sizeof(text), "%s", tagged());
	text[at] = text[at] == 'x' ? 'y' : 'x';
	return text;
}

static void
an_invented_tag_costs_no_lookup(void **state)
{
	struct auth_fixture *w = *state;
	size_t i;

	auth_fixture_tags_load(w);
	fake_catalog_returns(auth_fixture_key, 0);
	for (i = 0; i < KEY_TAG_LEN; i++) {
		const char *text = tagged_but(sizeof(GOOD) - 1 + i);

		assert_int_equal(auth_fixture_check(w, text), ERR_UNAUTHENTICATED);
	}
	/* A true tag on another secret, and on another id. */
	for (i = 0; i < 2; i++) {
		const char *text = tagged_but(strlen("Bearer tg_") + i * (KEY_ID_LEN + 1));

		assert_int_equal(auth_fixture_check(w, text), ERR_UNAUTHENTICATED);
	}
	assert_int_equal(fake_catalog_asked(), 0);
	assert_int_equal(auth_fixture_check(w, tagged()), ERR_NONE);
	assert_int_equal(fake_catalog_asked_in(CATALOG_KEYS), 1);
}

/* An invented tag is refused also when its key's record is at hand. */
static void
a_tag_must_be_true_whatever_is_cached(void **state)
{
	struct auth_fixture *w = *state;

	auth_fixture_tags_load(w);
	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(auth_fixture_check(w, tagged()), ERR_NONE);
	assert_int_equal(auth_fixture_check(w, tagged_but(sizeof(GOOD))), ERR_UNAUTHENTICATED);
}

static void
an_old_key_goes_by_the_unverified_lane(void **state)
{
	struct auth_fixture *w = *state;

	auth_fixture_tags_load(w);
	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(auth_fixture_check(w, GOOD), ERR_NONE);
	assert_int_equal(fake_catalog_asked_in(CATALOG_UNVERIFIED_KEYS), 1);
	assert_int_equal(fake_catalog_asked(), 1);
	assert_true(slice_is(fake_catalog_holder(), "network1"));
	/* Once it is known, it is known everywhere. */
	assert_int_equal(auth_fixture_check_from(w, GOOD, ELSEWHERE), ERR_NONE);
	assert_int_equal(auth_fixture_check(w, tagged()), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 1);
}

static void
without_the_tag_secret_every_key_is_unverified(void **state)
{
	struct auth_fixture *w = *state;

	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(auth_fixture_check(w, tagged()), ERR_NONE);
	assert_int_equal(fake_catalog_asked_in(CATALOG_UNVERIFIED_KEYS), 1);
	fake_catalog_returns(fake_catalog_empty, 0);
	assert_int_equal(auth_fixture_check(w, tagged_but(strlen("Bearer tg_"))),
	    ERR_UNAUTHENTICATED);
	assert_int_equal(fake_catalog_asked_in(CATALOG_UNVERIFIED_KEYS), 1);
}

/* One that knows a key's id cannot make its holder wait in the flood's line. */
static void
networks_share_no_unverified_lookup(void **state)
{
	struct auth_fixture *w = *state;

	auth_fixture_tags_load(w);
	fake_catalog_returns(auth_fixture_key, 5000);
	auth_fixture_begin(w, 0, BAD);
	auth_fixture_begin(w, 1, GOOD);
	w->checks[1].network = ELSEWHERE;
	auth_fixture_begin(w, 2, tagged());
	turn_until_idle(w->worker);
	assert_int_equal(auth_fixture_outcome(w, 0), ERR_UNAUTHENTICATED);
	assert_int_equal(auth_fixture_outcome(w, 1), ERR_NONE);
	assert_int_equal(auth_fixture_outcome(w, 2), ERR_NONE);
	assert_int_equal(fake_catalog_asked_in(CATALOG_UNVERIFIED_KEYS), 2);
	assert_int_equal(fake_catalog_asked_in(CATALOG_KEYS), 1);
}

static void
a_made_key_opens_and_only_its_hash_was_stored(void **state)
{
	struct auth_fixture *w = *state;
	const struct key_order order = { CALLER_TENANT, "acme", "a note", 0, 0 };
	char hash[SHA256_HEX_SIZE];
	struct key_made made;
	struct key_text key;

	fake_catalog_returns(an_insert, 0);
	assert_int_equal(create(w, &order, &made), ERR_NONE);
	assert_string_equal(inserted[5], "");
	assert_string_equal(inserted[6], "");
	assert_string_equal(inserted[7], "");
	assert_true(key_parse(slice_str(made.text), &key));
	assert_true(slice_is(key.id, inserted[0]));
	sha256_hex(key.secret, hash);
	assert_string_equal(hash, inserted[1]);
	auth_fixture_tags_load(w);
	assert_int_equal(key_tag_verify(w->tags, &key), KEY_TAGGED);
}

/* What is stored is what was asked for, and no other word than a scope's goes into the array. */
static void
a_made_key_has_its_scopes_and_its_time(void **state)
{
	struct auth_fixture *w = *state;
	const uint64_t in_an_hour = clock_wall_us() / 1000000 * 1000000 + 3600 * 1000000ull;
	const struct key_order order = { CALLER_SERVICE, NULL, NULL,
		SCOPE_BIT(SCOPE_CHAT) | SCOPE_BIT(SCOPE_SEARCH), in_an_hour };
	char hash[SHA256_HEX_SIZE];
	struct key_made made;
	struct listed_key row;
	struct key_text key;

	fake_catalog_returns(an_insert, 0);
	assert_int_equal(create(w, &order, &made), ERR_NONE);
	assert_string_equal(inserted[2], "service");
	assert_string_equal(inserted[5], "{chat,search}");
	assert_int_equal(clock_iso_read(slice_str(inserted[6])), in_an_hour);
	/* Builds that know no limits compare with the second parameter. */
	assert_true(key_parse(slice_str(made.text), &key));
	sha256_hex(key.secret, hash);
	assert_string_equal(inserted[7], hash);
	assert_string_not_equal(inserted[1], hash);
	key_made_row(&order, &made, &row);
	assert_string_equal(row.scopes, "chat,search");
	assert_string_equal(row.expires_at, inserted[6]);
	assert_string_equal(row.id, made.id);
}

static void
a_key_that_cannot_be_is_not_made(void **state)
{
	struct auth_fixture *w = *state;
	static char long_note[KEY_NOTE_MAX + 2];
	const struct {
		struct key_order order;
		enum err_code code;
	} bad[] = {
		{ { CALLER_TENANT, NULL, NULL, 0, 0 }, ERR_INVALID_TENANT },
		{ { CALLER_SERVICE, "acme", NULL, 0, 0 }, ERR_INVALID_TENANT },
		{ { CALLER_TENANT, "a b", NULL, 0, 0 }, ERR_INVALID_TENANT },
		{ { CALLER_ADMIN, NULL, NULL, SCOPE_BIT(SCOPE_CHAT), 0 }, ERR_INVALID_FIELD },
		{ { CALLER_SERVICE, NULL, NULL, 0, 1 }, ERR_INVALID_FIELD },
		{ { CALLER_SERVICE, NULL, "\xff", 0, 0 }, ERR_INVALID_FIELD },
		{ { CALLER_SERVICE, NULL, long_note, 0, 0 }, ERR_INVALID_FIELD },
	};
	struct key_made made;

	memset(long_note, 'x', sizeof(long_note) - 1);
	fake_catalog_returns(an_insert, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(create(w, &bad[i].order, &made), bad[i].code);
	assert_int_equal(fake_catalog_asked(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_invented_tag_costs_no_lookup,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_tag_must_be_true_whatever_is_cached,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(an_old_key_goes_by_the_unverified_lane,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(without_the_tag_secret_every_key_is_unverified,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(networks_share_no_unverified_lookup,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_made_key_opens_and_only_its_hash_was_stored,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_made_key_has_its_scopes_and_its_time,
		    auth_fixture_set_up, auth_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_key_that_cannot_be_is_not_made,
		    auth_fixture_set_up, auth_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
