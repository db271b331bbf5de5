/* SPDX-License-Identifier: MIT */
/*
 * web: libcurl's multi handle on the worker's loop (libcurl's "multi_socket" interface).
 *
 *	socket ready, timer, web_kickstart() --> curl_multi_socket_action() --> callbacks: they note
 *	                              |
 *	                              v
 *	     finished transfers are ended; then each transfer on the ready list is delivered
 *
 * libcurl asks for sockets to be watched (web_on_socket) and for one timer (web_on_timer); the loop
 * tells it what happened by curl_multi_socket_action(). libcurl must not be called from its own
 * callbacks, so flows are woken only when it has returned: once for all that one turn brought.
 *
 * Names are looked up by wire/dns before libcurl has the request (web_lookup.c); without one by
 * libcurl itself, on its threaded resolver.
 */
#include "tenantgate/wire/web.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "wire/web_internal.h"

/* What curl_multi_assign() ties to a descriptor: its event, and for what it is set. */
struct web_socket {
	struct event *event; /* owned */
	int what;	     /* CURL_POLL_IN, CURL_POLL_OUT, CURL_POLL_INOUT */
};

/* The message is libcurl's and does not survive the removal of its handle, which ending the
 * transfer does: its result is copied before. */
static void
web_finished(struct web *w)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(w->multi, &left)) != NULL) {
		char *transfer = NULL;
		CURLcode result = m->data.result;

		assert(m->msg == CURLMSG_DONE);
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &transfer);
		web_transfer_end((struct web_transfer *)transfer, result);
	}
}

/* Sets our timer to what libcurl last asked for. */
static void
web_timer_set(struct web *w)
{
	if (w->timer_changed && w->timer_ms < 0)
		timer_stop(&w->timer);
	else if (w->timer_changed)
		timer_start(&w->timer, (uint64_t)w->timer_ms * 1000);
	w->timer_changed = false;
}

/*
 * One turn of libcurl's. Every transfer that this turn has finished is ended before any is
 * delivered, and a delivered one may be freed: so the ready list is taken from its head each time.
 */
static void
web_drive(struct web *w, curl_socket_t fd, int what)
{
	struct web_transfer *t;
	int running;

	w->driving = true;
	if (curl_multi_socket_action(w->multi, fd, what, &running) != CURLM_OK)
		log_event(LOG_ERR, "web.curl", NULL,
		    "An event of descriptor %d was not accepted by libcurl; the transfers on it "
		    "end by their deadlines.",
		    (int)fd);
	web_finished(w);
	w->driving = false;
	web_timer_set(w);
	while ((t = TAILQ_FIRST(&w->ready)) != NULL)
		web_deliver(t);
}

/* Adding sets a timer of 0 ms: web_on_timer() is called in here. */
bool
web_add(struct web *w, CURL *easy)
{
	CURLMcode code;

	w->driving = true;
	code = curl_multi_add_handle(w->multi, easy);
	w->driving = false;
	return code == CURLM_OK;
}

/* CURL_SOCKET_TIMEOUT: "the time has come", for all handles that are due, which new ones are. */
void
web_kickstart(struct web *w)
{
	web_drive(w, CURL_SOCKET_TIMEOUT, 0);
}

static void
web_socket_ready(evutil_socket_t fd, short events, void *web)
{
	int what = 0;

	if (events & EV_READ)
		what |= CURL_CSELECT_IN;
	if (events & EV_WRITE)
		what |= CURL_CSELECT_OUT;
	web_drive(web, fd, what);
}

static void
web_timer_due(void *web)
{
	web_kickstart(web);
}

/* CURLMOPT_TIMERFUNCTION, called whenever the nearest time-out changes, several times a turn; so
 * while libcurl is being driven the last one is kept and set once, afterwards. Even 0 ms is left to
 * the loop: calling libcurl from here would recurse. */
static int
web_on_timer(CURLM *multi, long ms, void *web)
{
	struct web *w = web;

	(void)multi;
	w->timer_ms = ms;
	w->timer_changed = true;
	if (!w->driving)
		web_timer_set(w);
	return 0;
}

static void
web_socket_free(struct web *w, curl_socket_t fd, struct web_socket *s)
{
	if (s == NULL)
		return;
	if (s->event != NULL)
		event_free(s->event);
	free(s);
	(void)curl_multi_assign(w->multi, fd, NULL);
}

/* CURLMOPT_SOCKETFUNCTION: what to watch a descriptor for from now on; CURL_POLL_REMOVE comes
 * before it is closed. Persistent, level-triggered events: libcurl may leave bytes unread and
 * relies on being called again. -1 makes libcurl fail every transfer of the multi handle. */
static int
web_on_socket(CURL *easy, curl_socket_t fd, int what, void *web, void *socket)
{
	struct web *w = web;
	struct web_socket *s = socket;
	short events = EV_PERSIST;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		web_socket_free(w, fd, s);
		return 0;
	}
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		(void)curl_multi_assign(w->multi, fd, s);
	}
	if (s->what == what)
		return 0;
	if (s->event != NULL)
		event_free(s->event);
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	s->what = what;
	s->event = event_new(worker_base(w->worker), fd, events, web_socket_ready, w);
	return s->event != NULL && event_add(s->event, NULL) == 0 ? 0 : -1;
}

/* Once in the process, before the first multi handle: curl_global_init() is not thread-safe
 * in all builds of libcurl, and workers start together. */
static void
curl_set_up(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
}

/* See web_certificate.c. */
static bool
curl_has_openssl(struct web *w)
{
	CURL *easy = web_easy_acquire(w);
	bool has_hook =
	    easy != NULL && curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, NULL) == CURLE_OK;

	if (easy != NULL)
		web_easy_release(w, easy);
	if (!has_hook)
		log_event(LOG_ERR, "web.curl", NULL,
		    "This libcurl (%s) is not one with OpenSSL, whose certificates could not be "
		    "checked; install that one.",
		    curl_version_info(CURLVERSION_NOW)->ssl_version);
	return has_hook;
}

/*
 * Sessions of TLS are shared so that a new connection resumes one, whichever easy handle it serves.
 * A multi handle's connections are shared by all its transfers anyhow. Beyond
 * MAX_TOTAL_CONNECTIONS libcurl lets transfers wait, in the order of nobody's choice and with their
 * deadlines running: so process.c makes it more than the budgets of calls.
 */
static bool
web_set_up(struct web *w, const struct web_conf *conf)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	long max = (long)conf->connections_max;

	pthread_once(&once, curl_set_up);
	w->multi = curl_multi_init();
	w->share = curl_share_init();
	if (w->multi == NULL || w->share == NULL ||
	    !timer_init(&w->timer, w->worker, web_timer_due, w) || !curl_has_openssl(w))
		return false;
	w->dns = conf->dns;
	if (conf->ca_file != NULL)
		w->ca_file = xstrdup(conf->ca_file);
	w->user_agent = xstrdup(conf->user_agent != NULL ? conf->user_agent : "tenantgate");
	return curl_share_setopt(w->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) ==
	    CURLSHE_OK &&
	    curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, web_on_socket) == CURLM_OK &&
	    curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w) == CURLM_OK &&
	    curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, web_on_timer) == CURLM_OK &&
	    curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w) == CURLM_OK &&
	    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, max) == CURLM_OK &&
	    curl_multi_setopt(w->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, max) == CURLM_OK;
}

void
web_set_connections_max(struct web *w, unsigned max)
{
	(void)curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)max);
	(void)curl_multi_setopt(w->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)max);
}

struct web *
web_open(struct worker *worker, const struct web_conf *conf)
{
	struct web *w = xcalloc(1, sizeof(*w));

	w->worker = worker;
	LIST_INIT(&w->connections);
	LIST_INIT(&w->transfers);
	TAILQ_INIT(&w->ready);
	if (!web_set_up(w, conf)) {
		web_close(w);
		return NULL;
	}
	return w;
}

/* libcurl's order: easy handles first, then the multi handle, then what was shared. */
void
web_close(struct web *w)
{
	if (w == NULL)
		return;
	assert(LIST_EMPTY(&w->transfers)); /* their flows have ended: shutdown aborts them first */
	while (w->spare_count > 0)
		curl_easy_cleanup(w->spare[--w->spare_count]);
	if (w->multi != NULL)
		(void)curl_multi_cleanup(w->multi);
	if (w->share != NULL)
		(void)curl_share_cleanup(w->share);
	web_connections_forget(w);
	timer_free(&w->timer);
	free(w->ca_file);
	free(w->user_agent);
	free(w);
}

const char *
web_library_version(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}
