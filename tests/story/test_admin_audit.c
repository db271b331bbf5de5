/* SPDX-License-Identifier: MIT */
/*
 * test_admin_audit: a change that is noted has one line, whatever ends the flow that makes it.
 * http/ is a fake (fake_http.h); what the main database answers is the test's own.
 */
#include "admin/admin_route.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"
#include "turn_until_idle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct worker *worker;
static char log_path[] = "/tmp/test_admin_audit.XXXXXX";

/* ---- a handler: [begin] is done, [wait] is the change under way, [settle] its answer ---- */

static const struct admin_route changing = { "POST", "/admin/x", NULL, 1, "x.change" };
static const struct admin_route reading = { "GET", "/admin/x", NULL, 1, NULL };

static struct {
	struct admin_request req; /* first */
	struct pg_result answer;  /* of the change */
	bool waits, notes, has_missed;
	unsigned changes; /* noted so far */
	unsigned changes_wanted;
	enum err_code fails; /* after it; ERR_NONE: nothing does */
} h;

static flow_step_fn handler_begin, handler_wait, handler_settle;

static const struct flow_step handler_steps[] = {
	{ "begin", handler_begin },
	{ "wait", handler_wait },
	{ "settle", handler_settle },
	{ NULL, NULL },
};

static enum flow_rc
handler_begin(struct flow *f)
{
	(void)f;
	if (!h.notes)
		return FLOW_NEXT;
	h.changes++;
	admin_change_begin(&h.req, "acme", json_pack("{s:i}", "n", (int)h.changes - 1),
	    json_pack("{s:i}", "n", (int)h.changes));
	return FLOW_NEXT;
}

static void
handler_cancel(void *arg)
{
	(void)arg;
}

static enum flow_rc
handler_wait(struct flow *f)
{
	return h.waits ? flow_wait(f, handler_cancel, NULL) : FLOW_NEXT;
}

static enum flow_rc
handler_settle(struct flow *f)
{
	enum flow_rc rc = FLOW_NEXT;

	if (h.notes && !h.has_missed)
		rc = admin_change_check(f, &h.answer, "a change");
	if (rc != FLOW_NEXT)
		return rc;
	if (h.has_missed)
		admin_change_missed(&h.req, &h.answer);
	if (h.changes < h.changes_wanted)
		return flow_goto(f, handler_begin);
	return h.fails != ERR_NONE ? flow_fail(f, h.fails, "It fails afterwards.") : FLOW_DONE;
}

static void
audit_handler_end(struct flow *f, const struct err *err)
{
	(void)f;
	admin_change_end(&h.req, err);
}

static const struct flow_kind handler_kind = { "x", handler_steps, audit_handler_end, NULL };

/* ---- the log ---- */

static int
audit_set_up(void **state)
{
	int fd;

	(void)state;
	if (worker == NULL) {
		fd = mkstemp(log_path);
		if (fd < 0 || close(fd) != 0 || !log_open(log_path))
			return -1;
		worker = worker_new(0);
	}
	memset(&h, 0, sizeof(h));
	h.req.magic = ADMIN_MAGIC;
	h.req.route = &changing;
	h.notes = true;
	return truncate(log_path, 0);
}

/* "done 0>1, unknown:client_gone 1>2": its lines, in order. */
static const char *
lines_of(void)
{
	static char out[512];
	struct err bad = { 0 };
	char text[8192], *line, *rest;
	int fd = open(log_path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	out[0] = '\0';
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		json_t *got = json_read_object(slice_str(line), &bad);
		const char *event, *action, *outcome, *code = "";
		json_int_t before = -1, after = -1;
		size_t used = strlen(out);

		assert_non_null(got);
		assert_int_equal(json_unpack(got, "{s:s}", "event", &event), 0);
		if (strcmp(event, "admin.audit") == 0) {
			assert_int_equal(json_unpack(got, "{s:s, s:s, s?:s}", "action", &action,
					     "outcome", &outcome, "code", &code),
			    0);
			(void)json_unpack(got, "{s:{s:I}, s:{s:I}}", "before", "n", &before,
			    "after", "n", &after);
			assert_string_equal(action, "x.change");
			snprintf(out + used, sizeof(out) - used, "%s%s%s%s %d>%d",
			    used > 0 ? ", " : "", outcome, code[0] != '\0' ? ":" : "", code,
			    (int)before, (int)after);
		}
		json_decref(got);
	}
	return out;
}

static const char *
handled(void)
{
	flow_start(&h.req.flow, &handler_kind, worker, NULL);
	turn_until_idle(worker);
	return lines_of();
}

static const char *
handled_until(enum err_code why)
{
	h.waits = true;
	flow_start(&h.req.flow, &handler_kind, worker, NULL);
	while (h.req.flow.state != FLOW_WAITING)
		worker_turn(worker, 0);
	assert_string_equal(lines_of(), "");
	flow_abort(&h.req.flow, why, "It ends here.");
	turn_until_idle(worker);
	return lines_of();
}

/* ---- the stories ---- */

static void
one_that_is_made_is_done(void **state)
{
	(void)state;
	assert_string_equal(handled(), "done 0>1");
}

static void
whoever_leaves_in_the_middle_leaves_a_line(void **state)
{
	(void)state;
	assert_string_equal(handled_until(ERR_CLIENT_GONE), "unknown:client_gone 0>1");
	assert_int_equal(audit_set_up(state), 0);
	assert_string_equal(handled_until(ERR_TIMEOUT), "unknown:timeout 0>1");
	assert_int_equal(audit_set_up(state), 0);
	assert_string_equal(handled_until(ERR_SHUTDOWN), "unknown:shutting_down 0>1");
}

/* What fails behind it, a client that leaves among it, takes nothing back. */
static void
what_is_done_stays_done(void **state)
{
	(void)state;
	h.fails = ERR_CLIENT_GONE;
	assert_string_equal(handled(), "done 0>1");
}

static void
what_the_database_says_is_the_outcome(void **state)
{
	static const struct {
		enum pg_status status;
		bool is_repeated;
		const char *lines;
	} cases[] = {
		{ PG_SQL_ERROR, false, "failed:catalog_unavailable 0>1" },
		{ PG_SQL_ERROR, true, "unknown:catalog_unavailable 0>1" },
		{ PG_LOST, false, "unknown:catalog_unavailable 0>1" },
		{ PG_TIMEOUT, false, "unknown:catalog_unavailable 0>1" },
		{ PG_REFUSED, false, "" },
		{ PG_UNSENT, false, "" },
		{ PG_UNSENT, true, "unknown:catalog_unavailable 0>1" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(audit_set_up(state), 0);
		h.answer.status = cases[i].status;
		h.answer.is_repeated = cases[i].is_repeated;
		assert_string_equal(handled(), cases[i].lines);
	}
}

static void
one_that_finds_nothing_to_change_has_none(void **state)
{
	(void)state;
	h.has_missed = true;
	assert_string_equal(handled(), "");
	assert_int_equal(audit_set_up(state), 0);
	h.has_missed = true;
	h.answer.is_repeated = true;
	assert_string_equal(handled(), "unknown 0>1");
}

static void
each_of_several_has_its_own(void **state)
{
	(void)state;
	h.changes_wanted = 3;
	assert_string_equal(handled(), "done 0>1, done 1>2, done 2>3");
}

static void
a_dry_run_has_none(void **state)
{
	(void)state;
	h.req.is_dry_run = true;
	assert_string_equal(handled(), "");
}

/* A handler that forgets to note what it does still leaves a line of its route. */
static void
a_route_that_changes_something_has_one_unasked(void **state)
{
	(void)state;
	h.notes = false;
	assert_string_equal(handled(), "done -1>-1");
	assert_int_equal(audit_set_up(state), 0);
	h.notes = false;
	h.fails = ERR_NOT_FOUND;
	assert_string_equal(handled(), "");
	assert_int_equal(audit_set_up(state), 0);
	h.notes = false;
	h.req.route = &reading;
	assert_string_equal(handled(), "");
}

static int
tear_down(void **state)
{
	(void)state;
	worker_free(worker);
	return unlink(log_path);
}

#define AUDIT(fn) cmocka_unit_test_setup(fn, audit_set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AUDIT(one_that_is_made_is_done),
		AUDIT(whoever_leaves_in_the_middle_leaves_a_line),
		AUDIT(what_is_done_stays_done),
		AUDIT(what_the_database_says_is_the_outcome),
		AUDIT(one_that_finds_nothing_to_change_has_none),
		AUDIT(each_of_several_has_its_own),
		AUDIT(a_dry_run_has_none),
		AUDIT(a_route_that_changes_something_has_one_unasked),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
