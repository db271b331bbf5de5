/* SPDX-License-Identifier: MIT */
/*
 * model-api: the program: options, the table of routes, and the handlers that fit in a function.
 */
#include "model-api.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "tenantgate/base/json.h"

#define LISTEN_ADDR_SIZE 64

static const char usage[] =
    "usage: model-api [--listen ADDR:PORT] [--api-key KEY] [--token-delay-ms N] [--dimensions N]\n"
    "A stand-in for a model's server: /v1/embeddings, /v1/chat/completions, /v1/rerank,\n"
    "/v1/models, /_stats, /_knobs. Prints \"listening on ADDR:PORT\" first. Port 0 (the default): "
    "a free one.\n";

static flow_step_fn knobs_apply;

static const struct flow_step knobs_steps[] = {
	{ "body", model_request_read },
	{ "apply", knobs_apply },
	{ NULL, NULL },
};

static const struct flow_kind knobs_kind = { "knobs", knobs_steps, model_request_end,
	model_request_release };

/* ---- small handlers ---- */
static void
reply_at_once(struct http_exchange *x, int status, const struct buf *out)
{
	http_reply(x, status, "application/json", buf_view(out));
	http_end(x);
}

static void
models_reply(struct model_api *api, struct http_exchange *x)
{
	struct buf out;

	api->stats.models++;
	buf_init(&out, 4096);
	buf_puts(&out,
	    "{\"object\":\"list\",\"data\":[{\"id\":\"stand-in\",\"object\":\"model\",\"created\":"
	    "1,"
	    "\"owned_by\":\"tenantgate\"},{\"id\":\"stand-in-embedding\",\"object\":\"model\","
	    "\"created\":1,\"owned_by\":\"tenantgate\"}]}\n");
	reply_at_once(x, 200, &out);
	buf_free(&out);
}

static void
stats_reply(struct model_api *api, struct http_exchange *x)
{
	const struct stats *s = &api->stats;
	struct buf out;

	buf_init(&out, 4096);
	buf_printf(&out,
	    "{\"embeddings\":%lu,\"texts\":%lu,\"chats\":%lu,\"reranks\":%lu,\"models\":%lu,"
	    "\"refused\":%lu,"
	    "\"aborted_streams\":%lu,\"active_streams\":%lu,\"tokens\":%lu,\"knobs\":",
	    s->embeddings, s->texts, s->chats, s->reranks, s->models, s->refused, s->aborted,
	    s->streams, s->tokens);
	knobs_put(&api->knobs, &out);
	buf_puts(&out, "}\n");
	reply_at_once(x, 200, &out);
	buf_free(&out);
}

/* {"reset":true} sets all knobs to 0 first; those that are not named stay. All or nothing: a
 * request with an unknown knob changes none. */
static enum flow_rc
knobs_apply(struct flow *f)
{
	struct model_request *req = model_request_of(f);
	struct err err = { .code = ERR_NONE };
	struct knobs k = req->api->knobs;
	struct buf out;

	req->root = json_read_object(buf_view(&req->body), &err);
	if (json_is_true(json_object_get(req->root, "reset"))) {
		k = (struct knobs){ 0 };
		json_object_del(req->root, "reset");
	}
	if (req->root == NULL || !knobs_json(&k, req->root)) {
		model_request_refuse(req, 400, "invalid_request_error", "unknown_knob",
		    "Send a JSON object of known knobs with whole numbers.");
		return FLOW_DONE;
	}
	req->api->knobs = k;
	buf_init(&out, 4096);
	knobs_put(&k, &out);
	model_request_reply(req, &out);
	buf_free(&out);
	return FLOW_DONE;
}

static void
knobs_start(struct model_api *api, struct http_exchange *x)
{
	(void)model_request_start(api, x, sizeof(struct model_request), &knobs_kind);
}

/* ---- routes ---- */
typedef void route_fn(struct model_api *, struct http_exchange *);

static const struct model_api_route {
	const char *method;
	const char *path;
	route_fn *start;
} routes[] = {
	{ "POST", "/v1/embeddings", embeddings_start },
	{ "POST", "/v1/chat/completions", chat_completion_start },
	{ "POST", "/v1/rerank", rerank_start },
	{ "GET", "/v1/models", models_reply },
	{ "GET", "/_stats", stats_reply },
	{ "POST", "/_knobs", knobs_start },
};

static void
model_api_dispatch(struct http_exchange *x, void *arg)
{
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (slice_is(http_path(x), routes[i].path) &&
		    slice_is(http_method(x), routes[i].method)) {
			routes[i].start(arg, x);
			return;
		}
	}
	http_reply(x, 404, "application/json",
	    SLICE_LIT("{\"error\":{\"message\":\"The stand-in does not have this route.\",\"type\":"
		      "\"invalid_request_error\",\"param\":null,\"code\":null}}\n"));
	http_end(x);
}

static void
model_api_log_refused(const struct http_exchange *x, const char *id, const struct err *err,
    void *arg)
{
	(void)id;
	(void)arg;
	fprintf(stderr, "model-api: refused %s: %s\n", http_remote(x), err->detail);
}

/* ---- the process ---- */
static bool
listen_parse(const char *text, char addr[LISTEN_ADDR_SIZE], uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	unsigned long n;
	char *end;

	if (colon == NULL || (size_t)(colon - text) >= LISTEN_ADDR_SIZE)
		return false;
	memcpy(addr, text, (size_t)(colon - text));
	addr[colon - text] = '\0';
	n = strtoul(colon + 1, &end, 10);
	*port = (uint16_t)n;
	return n <= UINT16_MAX && *end == '\0' && end != colon + 1;
}

static bool
options_parse(int argc, char **argv, struct model_api *api, const char **listen)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "api-key", required_argument, NULL, 'k' },
		{ "token-delay-ms", required_argument, NULL, 't' },
		{ "dimensions", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'l':
			*listen = optarg;
			break;
		case 'k':
			api->api_key = optarg;
			break;
		case 't':
			api->knobs.token_delay_ms = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'd':
			api->dimensions = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			return false;
		}
	}
	return optind == argc && api->dimensions > 0 && api->dimensions <= 4096;
}

static void
on_stop_signal(evutil_socket_t sig, short what, void *arg)
{
	struct model_api *api = arg;

	(void)sig;
	(void)what;
	worker_stop(api->worker);
}

/* Runs until SIGTERM or SIGINT. The line on stdout is what scripts wait for, so it has the port. */
static int
model_api_serve(struct model_api *api, const struct http_conf *conf)
{
	struct event *term = evsignal_new(worker_base(api->worker), SIGTERM, on_stop_signal, api);
	struct event *intr = evsignal_new(worker_base(api->worker), SIGINT, on_stop_signal, api);
	struct http_shared *shared = http_shared_new();
	struct err err = { .code = ERR_NONE };

	if (term == NULL || intr == NULL || evsignal_add(term, NULL) != 0 ||
	    evsignal_add(intr, NULL) != 0)
		return 1;
	api->http = http_open(api->worker, conf, shared, model_api_dispatch, model_api_log_refused,
	    api, &err);
	if (api->http == NULL) {
		fprintf(stderr, "model-api: %s\n", err.detail);
		return 1;
	}
	printf("listening on %s:%u\n", conf->listen_addr, http_port(api->http));
	fflush(stdout);
	worker_run(api->worker);
	flow_abort_all(api->worker, ERR_SHUTDOWN, "The stand-in is stopping.");
	while (flow_count(api->worker) > 0)
		worker_turn(api->worker, 10);
	http_close(api->http);
	http_shared_free(shared);
	event_free(term);
	event_free(intr);
	return 0;
}

int
main(int argc, char **argv)
{
	struct model_api api = { .dimensions = 1536 };
	const char *listen = "127.0.0.1:0";
	struct http_conf conf;
	char addr[LISTEN_ADDR_SIZE];
	int rc;

	signal(SIGPIPE, SIG_IGN);
	http_conf_init(&conf);
	conf.max_client_conn = 100000;
	conf.keepalive_timeout_us = 3600 * 1000000ull;
	conf.server_name = "model-api";
	conf.listen_addr = addr;
	if (!options_parse(argc, argv, &api, &listen) ||
	    !listen_parse(listen, addr, &conf.listen_port)) {
		fputs(usage, stderr);
		return 2;
	}
	words_init();
	api.worker = worker_new(0);
	if (api.worker == NULL)
		return 1;
	rc = model_api_serve(&api, &conf);
	worker_free(api.worker);
	return rc;
}
