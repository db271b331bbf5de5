/* SPDX-License-Identifier: MIT */
/*
 * redis: commands over one pipelined link. A command waits on `pending` in the order in which it
 * was written, and Redis replies in that order: replies carry no id, their place is all that says
 * whose they are. So a cancelled command stays on the list without its flow, and its reply is read
 * and dropped; the same for a command that nobody waits for.
 */
#include "tenantgate/wire/redis.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/secret.h"
#include "wire/redis_internal.h"

struct redis_pending {
	STAILQ_ENTRY(redis_pending) next;
	struct flow *flow;	  /* borrowed; NULL: nobody waits (any more) */
	struct redis_reply *out; /* borrowed */
	uint64_t sent_us; /* monotonic */
};

struct redis {
	struct redis_link link;
	struct redis_url url;
	SSL_CTX *tls;	       /* owned; NULL: plain */
	struct redis_sub *sub; /* owned; NULL until somebody subscribes */
	STAILQ_HEAD(, redis_pending) pending;
	unsigned pending_count;
	unsigned pending_max; /* the configuration's; more are REDIS_BUSY */
};

/* ---- replies ---- */

/* Takes over hiredis' reply; the texts of *out are inside it. */
static void
reply_fill(struct redis_reply *out, redisReply *reply)
{
	out->owned = reply;
	out->status = REDIS_OK;
	switch (reply->type) {
	case REDIS_REPLY_NIL:
		out->status = REDIS_NIL;
		break;
	case REDIS_REPLY_ERROR:
		out->status = REDIS_ERROR;
		out->text = slice_of(reply->str, reply->len);
		break;
	case REDIS_REPLY_INTEGER:
		out->number = reply->integer;
		break;
	case REDIS_REPLY_ARRAY:
		break;
	default:
		out->text = slice_of(reply->str, reply->len);
		break;
	}
}

static const redisReply *
element_at(const struct redis_reply *a, unsigned i)
{
	const redisReply *reply = a->owned;

	if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || i >= reply->elements)
		return NULL;
	return reply->element[i];
}

bool
redis_int_at(const struct redis_reply *a, unsigned i, int64_t *out)
{
	const redisReply *e = element_at(a, i);

	if (e == NULL || e->type != REDIS_REPLY_INTEGER)
		return false;
	*out = e->integer;
	return true;
}

bool
redis_text_at(const struct redis_reply *a, unsigned i, struct slice *out)
{
	const redisReply *e = element_at(a, i);

	if (e == NULL || (e->type != REDIS_REPLY_STRING && e->type != REDIS_REPLY_STATUS))
		return false;
	*out = slice_of(e->str, e->len);
	return true;
}

void
redis_clear(struct redis_reply *a)
{
	if (a->owned != NULL)
		freeReplyObject(a->owned);
	memset(a, 0, sizeof(*a));
}

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

static void
commands_up(void *owner)
{
	(void)owner; /* nothing waits for this: while the link was down commands failed at once */
}

/* Redis may have done a command whose reply is lost, or not: nobody can tell, and it is not sent
 * again from here. */
static void
commands_down(void *owner, enum redis_status why)
{
	struct redis *r = owner;
	struct redis_pending *p;

	while ((p = pending_shift(r)) != NULL) {
		if (p->flow != NULL) {
			p->out->status = why;
			flow_wake(p->flow);
		}
		free(p);
	}
}

/* False: a reply that no command was sent for. */
static bool
commands_reply(void *owner, redisReply *reply)
{
	struct redis *r = owner;
	struct redis_pending *p = pending_shift(r);

	if (p == NULL || p->flow == NULL) {
		freeReplyObject(reply);
	} else {
		reply_fill(p->out, reply);
		flow_wake(p->flow);
	}
	free(p);
	return p != NULL;
}

static uint64_t
commands_oldest(const void *owner)
{
	const struct redis *r = owner;
	const struct redis_pending *p = STAILQ_FIRST(&r->pending);

	return p == NULL ? 0 : p->sent_us;
}

static const struct redis_link_ops command_ops = {
	.name = "commands",
	.up = commands_up,
	.down = commands_down,
	.reply = commands_reply,
	.oldest = commands_oldest,
};

/* ---- sending ---- */

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

/* SHA-1 is Redis' choice: a name for a script, no security rests on it. */
void
redis_script_sha(const char *script, char out[REDIS_SHA_SIZE])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_Digest(script, strlen(script), sum, &len, EVP_sha1(), NULL) != 1)
		abort();
	assert(len * 2 + 1 == REDIS_SHA_SIZE);
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(out + (size_t)2 * i, 3, "%02x", sum[i]);
}

/* ---- open and close ---- */

/* The system's certificate authorities, and no way to do without. The name is checked for each
 * connection, see redis_dial.c. */
static SSL_CTX *
tls_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_default_verify_paths(ctx) == 1 &&
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static bool
redis_set_up(struct redis *r, struct worker *w, struct dns *dns, const struct redis_conf *conf,
    struct err *err)
{
	if (!redis_url_read(&r->url, conf->url, err))
		return false;
	if (r->url.tls && (r->tls = tls_new()) == NULL) {
		err_set(err, ERR_INTERNAL,
		    "TLS for Redis could not be set up. Look at the system's OpenSSL "
		    "configuration.");
		return false;
	}
	r->pending_max = conf->pending_max;
	r->link = (struct redis_link){
		.worker = w,
		.dns = dns,
		.url = &r->url,
		.tls = r->tls,
		.timeout_us = conf->timeout_us,
		.ops = &command_ops,
		.owner = r,
	};
	if (redis_link_open(&r->link))
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

/* The subscription's link first: it borrows the URL and the TLS context. */
void
redis_close(struct redis *r)
{
	if (r == NULL)
		return;
	redis_sub_close(r->sub);
	redis_link_close(&r->link);
	commands_down(r, REDIS_DOWN);
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
redis_condition(const struct redis *r, struct condition *out)
{
	if (!redis_is_up(r))
		condition_ill(out, "%s", redis_trouble(r));
}

/* A connection that has subscribed takes no other commands (RESP2): hence the second link, made
 * when the first channel is asked for. */
bool
redis_subscribe(struct redis *r, const char *channel, redis_message_fn *fn, void *arg)
{
	if (r->sub == NULL)
		r->sub = redis_sub_open(&r->link);
	return r->sub != NULL && redis_sub_add(r->sub, channel, fn, arg);
}
