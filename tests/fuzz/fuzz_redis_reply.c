/* SPDX-License-Identifier: MIT */
/*
 * fuzz_redis_reply: what a server that calls itself Redis sends, through hiredis's reader and each
 * of our readers of a reply, at once and byte by byte: the same replies.
 *
 * sources: src/base/buf.c src/base/clock.c src/base/err.c src/base/json_put.c src/base/log.c
 * sources: src/base/log_pace.c src/base/log_repeat.c src/base/utf8.c src/limit/limit_gcra.c
 * sources: src/limit/limit_script.c src/limit/quota_rule.c src/limit/quota_script.c
 * sources: src/loop/mailbox.c src/loop/worker.c src/base/address.c src/wire/peer_tls.c
 * sources: src/wire/redis_dial.c src/wire/redis_probe.c
 * sources: src/wire/redis_refusal.c src/wire/redis_reply.c src/wire/redis_request.c
 * packages: hiredis jansson libevent libevent_openssl libevent_pthreads openssl
 * libs: -lm
 */
#include "limit/limit_internal.h"
#include "limit/quota_script.h"
#include "tests/fuzz/fuzz_check.h"
#include "wire/redis_internal.h"

#define REPLIES_MAX 64

struct replies_seen {
	unsigned count;
	uint64_t sum; /* of what the readers made of them */
};

static void
seen_add(struct replies_seen *seen, uint64_t value)
{
	seen->sum = seen->sum * 1000003 + value;
}

static void
see_scripts(struct replies_seen *seen, const struct redis_reply *reply)
{
	const struct limit_rule rules[] = {
		{ .key = SLICE_LIT("k"), .count = 10, .period_us = 1000000, .burst = 10 },
		{ .key = SLICE_LIT("l"), .count = 5, .period_us = 1000000, .burst = 1 }
	};
	const struct quota_order order = { .act = QUOTA_TAKE,
		.state_key = SLICE_LIT("s"),
		.leases_key = SLICE_LIT("t"),
		.lease = "x",
		.new_lease = "",
		.tokens = 10 };
	struct limit_verdict limit = { 0 };
	struct quota_verdict quota = { 0 };
	struct quota_state state = { 0 };
	uint64_t now_us = 0;

	for (unsigned n = 1; n <= 2; n++) {
		seen_add(seen, limit_call_read(reply, rules, n, &limit, &now_us));
		seen_add(seen, quota_call_read(reply, &order, rules, n, &limit, &quota));
		seen_add(seen, quota_call_state(reply, n, &state));
	}
	seen_add(seen, quota_call_is_run(reply));
	seen_add(seen, quota_call_is_run(reply) && quota_call_was_there(reply));
}

static void
see_reply(struct replies_seen *seen, redisReply *raw)
{
	struct redis_reply reply = { 0 };
	struct slice text;
	int64_t number;

	redis_reply_fill(&reply, raw);
	seen_add(seen, reply.status);
	seen_add(seen, reply.text.len);
	for (unsigned i = 0; i < 8; i++) {
		seen_add(seen, redis_int_at(&reply, i, &number) ? (uint64_t)number : 1);
		seen_add(seen, redis_text_at(&reply, i, &text) ? text.len : 2);
	}
	if (reply.status == REDIS_ERROR)
		seen_add(seen, redis_refusal_of(reply.text.p) != NULL);
	seen_add(seen, redis_probe_failed(raw));
	see_scripts(seen, &reply);
	redis_clear(&reply);
}

/* As redis_link.c does. False: the link is dropped. */
static bool
see_fed(struct replies_seen *seen, redisReader *reader, const uint8_t *bytes, size_t n)
{
	void *reply = NULL;

	if (redisReaderFeed(reader, (const char *)bytes, n) != 0)
		return false;
	while (seen->count < REPLIES_MAX) {
		if (redisReaderGetReply(reader, &reply) != 0)
			return false;
		if (reply == NULL)
			return true;
		seen->count++;
		see_reply(seen, reply);
	}
	return false;
}

static struct replies_seen
read_replies(const uint8_t *bytes, size_t n, size_t step)
{
	struct replies_seen seen = { 0 };
	redisReplyObjectFunctions functions;
	redisReader *reader = redis_reader_new(&functions);
	size_t at = 0;

	if (reader == NULL)
		abort();
	while (at < n && see_fed(&seen, reader, bytes + at, n - at < step ? n - at : step))
		at += step;
	redisReaderFree(reader);
	return seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct replies_seen whole = read_replies(bytes, n, n + 1),
			    pieces = read_replies(bytes, n, 1);

	fuzz_check(whole.count == pieces.count && whole.sum == pieces.sum);
	return 0;
}
