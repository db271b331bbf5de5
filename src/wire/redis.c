/* SPDX-License-Identifier: MIT */
/*
 * redis: commands over one pipelined link. A command waits on `pending` in the order in which it
 * was written, and Redis replies in that order: replies carry no id, their place is all that says
 * whose they are. So a cancelled command stays on the list without its flow, and its reply is read
 * and dropped; the same for a command that nobody waits for.
 *
 * While the link is up the probe goes out every PROBE_EVERY_US (PROBE_REST_US where hardly anything
 * else is sent: an idle process should not wake), among the commands; never two at
 * once. It is not in a hurry: the age of the oldest command drops the link, that of a probe only
 * when the next is due, so that an idle link does not fall when the machine pauses for a moment.
 */
#include "tenantgate/wire/redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/secret.h"
#include "wire/redis_internal.h"

#define PROBE_EVERY_US (1 * 1000000ull)
#define PROBE_REST_US  (20 * 1000000ull) /* while hardly anything else is sent */

struct redis_pending {
	STAILQ_ENTRY(redis_pending) next;
	struct flow *flow;	 /* borrowed; NULL: nobody waits (any more) */
	struct redis_reply *out; /* borrowed */
	redis_reply_fn *fn;	 /* of redis_query(), in place of a flow; NULL: none */
	void *arg;		 /* borrowed */
	uint64_t sent_us;	 /* monotonic */
};

struct redis {
	struct redis_link link;
	struct redis_url url;
	struct redis_probe probe;
	struct timer probe_timer; /* of the probe; set while the link is up */
	uint64_t probed_us;	  /* monotonic: when the probe without a reply was sent; 0: none */
	uint64_t calm_since_us;	  /* monotonic: from when `sent` counts */
	uint64_t sent;		  /* commands, a probe's too */
	bool probe_rests;
	SSL_CTX *tls;	       /* owned; NULL: plain */
	struct redis_sub *sub; /* owned; NULL until somebody subscribes */
	STAILQ_HEAD(, redis_pending) pending;
	unsigned pending_count;
	unsigned pending_max; /* the configuration's; more are REDIS_BUSY */
};

static redis_reply_fn redis_probe_reply;

/* ---- what the link calls ---- */

/* The oldest, off the list; the caller frees it. */
static struct redis_pending *
pending_shift(struct redis *r)
{
	struct redis_pending *p = STAILQ_FIRST(&r->pending);

	if (p == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&r->pending, next);
	r->pending_count--;
	return p;
}

/* Nothing waits for this: while the link was down commands failed at once. After a server that was
 * not the one the messages' link may still be with that one. */
static void
commands_up(void *owner)
{
	struct redis *r = owner;

	if (r->sub != NULL)
		redis_sub_poll_anew(r->sub);
	if (r->link.was_elsewhere && r->sub != NULL)
		redis_sub_redial(r->sub);
	r->link.was_elsewhere = false;
	r->probe_rests = false;
	if (r->link.probe != NULL)
		timer_start(&r->probe_timer, PROBE_EVERY_US);
}

/* Redis may have done a command whose reply is lost, or not: nobody can tell, and it is not sent
 * again from here. */
static void
commands_down(void *owner, enum redis_status why)
{
	struct redis *r = owner;
	struct redis_pending *p;

	timer_stop(&r->probe_timer);
	r->probed_us = 0;
	while ((p = pending_shift(r)) != NULL) {
		if (p->fn != NULL) {
			(void)p->fn(NULL, p->arg);
		} else if (p->flow != NULL) {
			p->out->status = why;
			flow_wake(p->flow);
		}
		free(p);
	}
}

/* False: a reply that no command was sent for, or a refusal. */
static bool
commands_reply(void *owner, redisReply *reply)
{
	struct redis *r = owner;
	struct redis_pending *p = pending_shift(r);
	bool good = p != NULL;

	if (good && p->flow != NULL) {
		redis_reply_fill(p->out, reply);
		flow_wake(p->flow);
	} else {
		if (good && p->fn != NULL)
			good = p->fn(reply, p->arg);
		freeReplyObject(reply);
	}
	free(p);
	/* Under load it is left to ring in vain, which costs less. */
	if (r->probe_rests && r->link.state == LINK_UP && STAILQ_EMPTY(&r->pending))
		timer_stop(&r->link.timer);
	return good;
}

static uint64_t
commands_oldest(const void *owner)
{
	const struct redis *r = owner;
	const struct redis_pending *p;

	STAILQ_FOREACH(p, &r->pending, next) {
		if (p->fn != redis_probe_reply)
			return p->sent_us;
	}
	return 0;
}

static const struct redis_link_ops command_ops = {
	.name = "commands",
	.up = commands_up,
	.down = commands_down,
	.reply = commands_reply,
	.oldest = commands_oldest,
};

/* ---- sending ---- */

/* Fewer than one command a second, as the beat of replica/ is, keep no link at its probes. */
static bool
is_calm(const struct redis *r, uint64_t now)
{
	return r->sent <= (now - r->calm_since_us) / PROBE_EVERY_US + REDIS_PROBE_COMMANDS;
}

static void
probe_count_command(struct redis *r, uint64_t now)
{
	r->sent++;
	if (!r->probe_rests || is_calm(r, now))
		return;
	r->probe_rests = false;
	timer_start(&r->probe_timer, PROBE_EVERY_US);
}

/* REDIS_OK: written, and *out is its place on the list. Nothing waits for a link that is down:
 * Redis is a cache and a counter, and its callers know how to go on without. */
static enum redis_status
command_write(struct redis *r, const struct slice *argv, unsigned argc, struct redis_pending **out)
{
	struct redis_pending *p;

	if (r->link.state != LINK_UP)
		return REDIS_DOWN;
	if (r->pending_count >= r->pending_max)
		return REDIS_BUSY;
	p = xcalloc(1, sizeof(*p));
	if (!redis_link_send(&r->link, argv, argc)) {
		free(p);
		return REDIS_BUSY;
	}
	p->sent_us = clock_mono_us();
	STAILQ_INSERT_TAIL(&r->pending, p, next);
	r->pending_count++;
	redis_link_watch(&r->link);
	probe_count_command(r, p->sent_us);
	*out = p;
	return REDIS_OK;
}

/* Its reply will still come, so it keeps its place. */
static void
command_cancel(void *arg)
{
	struct redis_pending *p = arg;

	p->flow = NULL;
	p->out = NULL;
}

enum flow_rc
redis_command(struct flow *f, struct redis *r, const struct slice *argv, unsigned argc,
    struct redis_reply *out)
{
	struct redis_pending *p = NULL;

	redis_clear(out);
	out->status = command_write(r, argv, argc, &p);
	if (out->status != REDIS_OK)
		return FLOW_NEXT;
	p->flow = f;
	p->out = out;
	return flow_wait(f, command_cancel, p);
}

void
redis_send(struct redis *r, const struct slice *argv, unsigned argc)
{
	struct redis_pending *p = NULL;

	(void)command_write(r, argv, argc, &p);
}

void
redis_query(struct redis *r, const struct slice *argv, unsigned argc, redis_reply_fn *fn, void *arg)
{
	struct redis_pending *p = NULL;

	if (command_write(r, argv, argc, &p) != REDIS_OK) {
		(void)fn(NULL, arg);
		return;
	}
	p->fn = fn;
	p->arg = arg;
}

/* ---- the probe, while the link is up ---- */

/* At the first reply of a probe. */
static void
probe_rest(struct redis *r, uint64_t now)
{
	r->probe_rests = is_calm(r, now);
	if (r->probe_rests)
		timer_start(&r->probe_timer, PROBE_REST_US);
	r->calm_since_us = now;
	r->sent = 0;
}

static bool
redis_probe_reply(const redisReply *reply, void *arg)
{
	struct redis *r = arg;

	if (reply != NULL && r->probed_us != 0)
		probe_rest(r, clock_mono_us());
	r->probed_us = 0;
	if (reply == NULL || !redis_probe_failed(reply))
		return true;
	redis_link_refuse(&r->link, reply);
	return false;
}

static void
redis_probe_send(void *arg)
{
	struct redis *r = arg;
	struct slice words[REDIS_ARGS_MAX];
	uint64_t now = clock_mono_us();

	timer_start(&r->probe_timer, PROBE_EVERY_US);
	if (r->probed_us != 0) {
		if (now - r->probed_us >= r->link.timeout_us)
			redis_link_give_up(&r->link);
		return;
	}
	r->probed_us = now;
	for (unsigned i = 0; i < REDIS_PROBE_COMMANDS; i++)
		redis_query(r, words, redis_probe_words(&r->link, i, words), redis_probe_reply, r);
}

/* ---- open and close ---- */

/* NULL when there is none; longer ones than the header allows are a bug of the caller's. */
static const struct redis_probe *
probe_fill(struct redis_probe *probe, const struct redis_conf *conf)
{
	if (conf->probe_key == NULL)
		return NULL;
	assert(strlen(conf->probe_key) <= REDIS_PROBE_KEY_MAX);
	assert(strlen(conf->cluster_probe_key) <= REDIS_PROBE_KEY_MAX);
	(void)snprintf(probe->key, sizeof(probe->key), "%s", conf->probe_key);
	(void)snprintf(probe->cluster_key, sizeof(probe->cluster_key), "%s",
	    conf->cluster_probe_key);
	return probe;
}

static bool
redis_set_up(struct redis *r, struct worker *w, struct dns *dns, const struct redis_conf *conf,
    struct err *err)
{
	if (!redis_url_read(&r->url, conf->url, err))
		return false;
	if (r->url.tls && (r->tls = redis_tls_new(conf->ca_file)) == NULL) {
		err_set(err, ERR_INTERNAL,
		    "TLS for Redis could not be set up. Look at redis_ca_file (PEM), or at the "
		    "system's OpenSSL configuration.");
		return false;
	}
	r->pending_max = conf->pending_max;
	r->link = (struct redis_link){
		.worker = w,
		.dns = dns,
		.url = &r->url,
		.tls = r->tls,
		.ca_file = conf->ca_file,
		.timeout_us = conf->timeout_us,
		.probe = probe_fill(&r->probe, conf),
		.ops = &command_ops,
		.owner = r,
	};
	if (timer_init(&r->probe_timer, w, redis_probe_send, r) && redis_link_open(&r->link))
		return true;
	err_set(err, ERR_INTERNAL, "There is no memory for the Redis link. Give the process more.");
	return false;
}

struct redis *
redis_open(struct worker *w, struct dns *dns, const struct redis_conf *conf, struct err *err)
{
	struct redis *r = xcalloc(1, sizeof(*r));

	STAILQ_INIT(&r->pending);
	if (redis_set_up(r, w, dns, conf, err))
		return r;
	redis_close(r);
	return NULL;
}

/* The subscription's link after the replies that it may wait for, and before the URL and the TLS
 * context, which it borrows. */
void
redis_close(struct redis *r)
{
	if (r == NULL)
		return;
	redis_link_close(&r->link);
	commands_down(r, REDIS_DOWN);
	redis_sub_close(r->sub);
	timer_free(&r->probe_timer);
	SSL_CTX_free(r->tls);
	bytes_wipe(&r->url, sizeof(r->url));
	free(r);
}

bool
redis_is_up(const struct redis *r)
{
	return r->link.state == LINK_UP;
}

const char *
redis_trouble(const struct redis *r)
{
	return redis_is_up(r) ? "" : r->link.trouble;
}

void
redis_condition(const struct redis *r, struct condition *c)
{
	if (!redis_is_up(r))
		condition_ill(c, "%s", r->link.trouble);
}

bool
redis_is_cluster(const struct redis *r)
{
	return r != NULL && r->link.is_cluster;
}

/* A connection that has subscribed takes no other commands (RESP2): hence the second link, made
 * when the first channel is asked for. */
bool
redis_subscribe(struct redis *r, const char *channel, redis_message_fn *fn, void *arg)
{
	if (r->sub == NULL)
		r->sub = redis_sub_open(&r->link, r);
	return r->sub != NULL && redis_sub_add(r->sub, channel, fn, arg);
}
