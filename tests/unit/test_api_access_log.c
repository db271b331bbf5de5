/* SPDX-License-Identifier: MIT */
/*
 * test_api_access_log: a line that stays one line of JSON, whatever the request held. http/ is a
 * fake (fake_http.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/respond.h"
#include "fake_http.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"

static struct http_exchange exchange;
static struct api_conf conf = { .access_log = true };
static const struct api_context ctx = { .conf = &conf };
static const struct flow_step steps[] = { { "auth", NULL }, { "body", NULL }, { NULL, NULL } };
static const struct flow_kind kind = { "chat", steps, NULL, NULL };
static char log_path[] = "/tmp/test_api_access_log.XXXXXX";

static int
set_up(void **state)
{
	int fd = mkstemp(log_path);

	(void)state;
	return fd >= 0 && close(fd) == 0 && log_open(log_path) ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(log_path);
}

/* The only line of the log, parsed; the log is emptied. The caller owns the result. */
static json_t *
only_line(void)
{
	struct err bad = { 0 };
	char line[32768];
	ssize_t n;
	int fd = open(log_path, O_RDWR);
	json_t *got;

	n = read(fd, line, sizeof(line));
	assert_true(n > 1 && memchr(line, '\n', (size_t)n) == line + n - 1);
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	got = json_read_object(slice_of(line, (size_t)n), &bad);
	if (got == NULL)
		fail_msg("%.*s: %s", (int)n, line, bad.detail);
	return got;
}

static json_t *
logged_line(struct request *v, enum err_code code, const char *detail)
{
	struct err err = { 0 };

	if (code != ERR_NONE)
		err_set(&err, code, "%s", detail);
	v->ctx = &ctx;
	v->conf = ctx.conf;
	access_log_write(v, &err);
	return only_line();
}

static const char *
text_of(const json_t *line, const char *name)
{
	return json_string_value(json_object_get(line, name));
}

static void
a_request_is_one_line(void **state)
{
	struct request v = { .x = &exchange, .request_id = "r1", .tenant_id = "t1" };
	json_t *line;

	(void)state;
	v.flow.magic = FLOW_MAGIC;
	v.flow.kind = &kind;
	v.flow.step_us[1] = 1234;
	v.usage = (struct model_usage){ .input_tokens = 10, .output_tokens = 3, .known = true };
	v.spent.embedding = (struct model_usage){ .input_tokens = 2, .known = true };
	exchange = (struct http_exchange){ .method = SLICE_LIT("POST"),
		.path = SLICE_LIT("/chat"),
		.status = 200 };
	line = logged_line(&v, ERR_NONE, "");
	assert_string_equal(text_of(line, "event"), "access");
	assert_string_equal(text_of(line, "request_id"), "r1");
	assert_string_equal(text_of(line, "tenant"), "t1");
	assert_string_equal(text_of(line, "route"), "chat");
	assert_string_equal(text_of(line, "ended_by"), "done");
	assert_null(json_object_get(line, "code"));
	assert_int_equal(json_integer_value(json_object_get(line, "status")), 200);
	assert_int_equal(json_integer_value(json_object_get(line, "bytes_in")), 11);
	assert_int_equal(json_integer_value(json_object_get(line, "bytes_out")), 22);
	assert_int_equal(json_integer_value(json_object_get(line, "tokens_in")), 12);
	assert_int_equal(json_integer_value(json_object_get(line, "tokens_out")), 3);
	assert_true(json_is_real(json_object_get(line, "t_body")));
	assert_null(json_object_get(line, "t_auth"));
	json_decref(line);
}

static void
every_ending_is_logged(void **state)
{
	static const struct {
		enum err_code code;
		const char *by;
		int status;
	} ends[] = { { ERR_CLIENT_GONE, "client", 499 }, { ERR_SHUTDOWN, "shutdown", 200 },
		{ ERR_TIMEOUT, "deadline", 200 }, { ERR_MODEL_TIMEOUT, "deadline", 200 },
		{ ERR_MODEL, "error", 200 }, { ERR_RATE_LIMITED, "error", 200 } };
	struct request v = { .x = &exchange, .request_id = "r1" };

	(void)state;
	v.flow.magic = FLOW_MAGIC;
	v.flow.kind = &kind;
	exchange = (struct http_exchange){ .status = 200 };
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		json_t *line = logged_line(&v, ends[i].code, "Why.");

		assert_string_equal(text_of(line, "ended_by"), ends[i].by);
		assert_string_equal(text_of(line, "code"), err_slug(ends[i].code));
		assert_string_equal(text_of(line, "detail"), "Why.");
		assert_string_equal(text_of(line, "step"),
		    ends[i].code == ERR_RATE_LIMITED ? "limit" : "auth");
		assert_int_equal(json_integer_value(json_object_get(line, "status")),
		    ends[i].status);
		json_decref(line);
	}
}

/* As long and as bad as a request can be: still a line, and one. */
static void
hostile_fields_stay_one_line(void **state)
{
	struct request v = { .x = &exchange };
	char path[16384], detail[256];
	json_t *line;

	(void)state;
	v.flow.magic = FLOW_MAGIC;
	v.flow.kind = &kind;
	memset(path, 0x01, sizeof(path));
	memset(detail, '\\', sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	memset(v.tenant_id, '\\', sizeof(v.tenant_id) - 1);
	memset(v.request_id, '\\', sizeof(v.request_id) - 1);
	exchange = (struct http_exchange){ .method = SLICE_LIT("P\r\n\x1b[2J\xff\""),
		.path = slice_of(path, sizeof(path)) };
	line = logged_line(&v, ERR_BAD_REQUEST, detail);
	assert_string_equal(text_of(line, "method"), "P\r\n\x1b[2J\xef\xbf\xbd\"");
	assert_int_equal(strlen(text_of(line, "path")), 1024);
	json_decref(line);
}

/* No handler has seen it: what is known of it, with the same names. */
static void
a_refusal_is_one_line(void **state)
{
	struct err err = { 0 };
	json_t *line;

	(void)state;
	exchange = (struct http_exchange){ .status = 400 };
	err_set(&err, ERR_BAD_REQUEST, "Why.");
	access_log_refusal(&exchange, &conf, "r1", &err);
	line = only_line();
	assert_string_equal(text_of(line, "event"), "access");
	assert_string_equal(text_of(line, "request_id"), "r1");
	assert_string_equal(text_of(line, "remote"), "192.0.2.1");
	assert_int_equal(json_integer_value(json_object_get(line, "status")), 400);
	assert_string_equal(text_of(line, "code"), "bad_request");
	assert_string_equal(text_of(line, "detail"), "Why.");
	assert_string_equal(text_of(line, "ended_by"), "error");
	assert_null(json_object_get(line, "path"));
	json_decref(line);
}

/* access_log = off */
static void
a_log_that_is_off_has_no_line(void **state)
{
	struct request v = { .x = &exchange, .ctx = &ctx, .conf = &conf };
	struct err err = { .code = ERR_BAD_REQUEST };
	char byte;
	int fd = open(log_path, O_RDONLY);

	(void)state;
	v.flow.magic = FLOW_MAGIC;
	v.flow.kind = &kind;
	conf.access_log = false;
	access_log_write(&v, &err);
	access_log_refusal(&exchange, &conf, "r1", &err);
	conf.access_log = true;
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_one_line),
		cmocka_unit_test(every_ending_is_logged),
		cmocka_unit_test(hostile_fields_stay_one_line),
		cmocka_unit_test(a_refusal_is_one_line),
		cmocka_unit_test(a_log_that_is_off_has_no_line),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
