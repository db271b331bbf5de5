/* SPDX-License-Identifier: MIT */
/*
 * Other projects' corpora of requests, http1.json (corpora.h says where it is looked for): what was
 * collected as dangerous is refused, what was collected as valid is accepted save for the table
 * below, and no verdict depends on where the bytes are cut.
 *
 * Many cases are HTTP/1.1 without a Host, which alone makes them bad (RFC 9112 3.2). They are
 * judged twice: as they are, and with a Host put in, so that the rule they were collected for is
 * the one that is tested.
 */
#define _GNU_SOURCE /* memmem */
#include "corpora.h"
#include "http_verdict.h"

#define INVALID_ACCEPTED_MAX 15

struct exception {
	const char *name;
	const char *why;
};

/* Of gunicorn-valid, refused here even with a Host. */
static const struct exception refused[] = {
	{ "005.http", "a fragment is no part of a request target (RFC 9112 3.2)" },
	{ "009.http", "a fragment; and Transfer-Encoding beside Content-Length" },
	{ "022.http", "its second request is HTTP/1.1 without a Host" },
	{ "025.http", "the coding gzip is not ours" },
	{ "025_line.http", "the coding gzip is not ours" },
	{ "027.http", "bytes outside ASCII in the target" },
	{ "028.http", "a space before the colon (RFC 9112 5.1: a server must refuse it)" },
	{ "029.http", "Transfer-Encoding twice, identity is none any more" },
	{ "030.http", "Transfer-Encoding twice, identity is none any more" },
	{ "040.http", "Transfer_Encoding; the same bytes are in gunicorn-invalid" },
	{ "040_compat.http", "Transfer_Encoding; the same bytes are in gunicorn-invalid" },
	{ "099.http", "not whole: the body is shorter than its Content-Length" },
	{ "compat_obs_fold.http", "a folded field" },
	{ "compat_obs_fold_huge.http", "a folded field" },
	{ "pp_01.http", "the PROXY protocol is another one" },
	{ "pp_02.http", "the PROXY protocol is another one" },
	{ "pp_04.http", "the PROXY protocol is another one" },
	{ "pp_05.http", "the PROXY protocol is another one" },
	{ "rfc9112_smuggle_gzip_chunked_01.http", "the coding gzip is not ours" },
	{ "rfc9112_smuggle_te_identity_chunked_01.http", "identity is no coding any more" },
	{ "rfc9112_target_absolute_userinfo_01.http", "userinfo in a URL (RFC 9110 4.2.4)" },
	{ "rfc9112_target_authority_connect_01.http", "CONNECT: not ours" },
	{ "rfc9112_target_authority_ipv6_01.http", "CONNECT: not ours" },
};

/* Of gunicorn-invalid, accepted here: each is one request of one length. */
static const struct exception accepted[] = {
	{ "006.http", "a target of 4 KiB is below our limit" },
	{ "007.http", "a field of 8 KiB is below our limit" },
	{ "008.http", "a field of 12 KiB is below our limit" },
	{ "011.http", "'=' is allowed in a host (RFC 3986 3.2.2); gunicorn-valid has it too" },
	{ "012.http", "'=' is allowed in a host (RFC 3986 3.2.2); gunicorn-valid has it too" },
	{ "limit_header_default_01.http", "a field of 8 KiB is below our limit" },
	/* these with a Host put in */
	{ "003c.http", "-bl is a token; gunicorn-valid has its like" },
	{ "017.http", "a field of 8 KiB is below our limit" },
	{ "010.http", "nothing but its Host was missing" },
	{ "019.http", "X-Forwarded fields are not believed here, so cannot conflict" },
};

static const char *
exception_of(const struct exception *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].name, name) == 0)
			return list[i].why;
	}
	return NULL;
}

#define EXCEPTION(list, name) exception_of(list, sizeof(list) / sizeof(*(list)), name)

static bool
unhex(const char *hex, struct buf *out)
{
	for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
		char pair[3] = { hex[0], hex[1], '\0' }, *end;

		buf_putc(out, (char)strtol(pair, &end, 16));
		if (*end != '\0')
			return false;
	}
	return hex[0] == '\0' && !out->failed;
}

static bool
lacks_host(const struct buf *b)
{
	const char *line = memmem(b->data, b->len, " HTTP/1.1\r\n", 11);
	const char *end = memmem(b->data, b->len, "\r\n", 2);

	return line != NULL && line + 9 == end && memmem(b->data, b->len, "ost:", 4) == NULL;
}

/* Behind each HTTP/1.1 request line of the bytes. */
static void
put_host(const struct buf *in, struct buf *out)
{
	const char *at = in->data, *end = in->data + in->len, *line;

	while ((line = memmem(at, (size_t)(end - at), "HTTP/1.1\r\n", 10)) != NULL) {
		buf_add(out, at, (size_t)(line + 10 - at));
		buf_puts(out, "Host: x\r\n");
		at = line + 10;
	}
	buf_add(out, at, (size_t)(end - at));
}

static struct verdict
verdict_at_every_cut(const char *name, struct slice bytes)
{
	struct verdict whole = verdict_of(bytes, 0), w = verdict_of(bytes, 1);

	if (!verdict_same(&whole, &w))
		fail_msg("%s: another verdict byte by byte", name);
	for (size_t cut = 1; cut < bytes.len; cut++) {
		w = verdict_cut(bytes, cut);
		if (!verdict_same(&whole, &w))
			fail_msg("%s: another verdict when cut at %zu", name, cut);
	}
	return whole;
}

/* As it is; then, when only a Host may be missing, with one. True when it was put in. */
static bool
case_verdicts(json_t *one, struct verdict *plain, struct verdict *hosted)
{
	const char *name = json_string_value(json_object_get(one, "name"));
	struct buf b, with;
	bool put;

	buf_init(&b, 1u << 20);
	buf_init(&with, 1u << 20);
	assert_true(unhex(json_string_value(json_object_get(one, "hex")), &b));
	*plain = *hosted = verdict_at_every_cut(name, buf_view(&b));
	put = lacks_host(&b);
	if (put) {
		put_host(&b, &with);
		*hosted = verdict_at_every_cut(name, buf_view(&with));
	}
	buf_free(&b);
	buf_free(&with);
	return put;
}

static void
dangerous_requests_are_refused(void **state)
{
	json_t *one, *root = corpora_load("http1.json");
	json_t *set = json_object_get(json_object_get(root, "sets"), "guardian-severe");
	struct verdict plain, hosted;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(set), 27);
	json_array_foreach(set, i, one) {
		case_verdicts(one, &plain, &hosted);
		assert_int_equal(err_status(plain.code), 400);
		assert_int_equal(plain.messages, 0);
		assert_int_equal(err_status(hosted.code), 400);
		assert_int_equal(hosted.messages, 0);
	}
	json_decref(root);
}

static void
valid_requests_are_accepted(void **state)
{
	json_t *one, *root = corpora_load("http1.json");
	json_t *set = json_object_get(json_object_get(root, "sets"), "gunicorn-valid");
	struct verdict plain, hosted;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(set), 63);
	json_array_foreach(set, i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));
		bool put = case_verdicts(one, &plain, &hosted);

		if (put)
			assert_false(verdict_accepts(&plain));
		if (verdict_accepts(&hosted) != (EXCEPTION(refused, name) == NULL))
			fail_msg("%s: %s", name, hosted.err.detail);
	}
	json_decref(root);
}

static void
invalid_requests_are_refused(void **state)
{
	json_t *one, *root = corpora_load("http1.json");
	json_t *set = json_object_get(json_object_get(root, "sets"), "gunicorn-invalid");
	struct verdict plain, hosted;
	unsigned plainly = 0, with_host = 0;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(set), 74);
	json_array_foreach(set, i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));

		case_verdicts(one, &plain, &hosted);
		plainly += verdict_accepts(&plain);
		with_host += verdict_accepts(&hosted);
		if (verdict_accepts(&hosted) && EXCEPTION(accepted, name) == NULL)
			fail_msg("%s is accepted", name);
	}
	print_message("gunicorn-invalid: %u accepted, %u with a Host put in\n", plainly, with_host);
	assert_true(plainly <= INVALID_ACCEPTED_MAX && with_host <= INVALID_ACCEPTED_MAX);
	json_decref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dangerous_requests_are_refused),
		cmocka_unit_test(valid_requests_are_accepted),
		cmocka_unit_test(invalid_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
