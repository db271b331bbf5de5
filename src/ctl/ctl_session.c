/* SPDX-License-Identifier: MIT */
/*
 * ctl_session: where the admin door is, which key opens it, and one request at a time. A terminal
 * sees a line of progress when an answer takes longer than a second.
 */
#define _GNU_SOURCE /* memrchr */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"

#define URL_FROM_ENVIRONMENT	  "TENANTGATE_ADMIN_URL"
#define KEY_FROM_ENVIRONMENT	  "TENANTGATE_ADMIN_KEY"
#define KEY_FILE_FROM_ENVIRONMENT "TENANTGATE_ADMIN_KEY_FILE"
#define KEY_MAX			  512
#define ANSWER_MAX		  (64u << 20)
#define CONNECT_TIMEOUT_S	  5
#define TIMEOUT_S		  120 /* of what is not long */
#define KEEPALIVE_S		  20L
#define PROGRESS_MAX		  80 /* of a line of progress */
#define PROGRESS_AFTER_US	  1000000ull

struct ctl_session {
	CURL *curl;
	struct curl_slist *headers;
	unsigned timeout_s; /* given; 0: by the command */
	bool has_lines;	    /* the answer is the last of them */
	char progress[PROGRESS_MAX];
	const char *url; /* borrowed */
	const char *what;
	uint64_t began_us;
	bool shows_progress; /* standard error is a terminal */
	bool has_shown;
	const volatile sig_atomic_t *stops; /* borrowed; NULL: nothing does */
	struct buf answer;
	char why[CURL_ERROR_SIZE];
};

/* A key on the command line would be seen by all users of the machine, so there is no option. */
static bool
key_find(const struct ctl_options *o, char key[KEY_MAX], struct err *err)
{
	const char *path = o->key_file != NULL ? o->key_file : getenv(KEY_FILE_FROM_ENVIRONMENT);
	const char *given = getenv(KEY_FROM_ENVIRONMENT);

	if (path != NULL && *path != '\0') {
		return ctl_secret_read(path, key, KEY_MAX, err);
	} else if (given != NULL && *given != '\0') {
		if (snprintf(key, KEY_MAX, "%s", given) >= KEY_MAX)
			err_set(err, ERR_INVALID_FIELD, KEY_FROM_ENVIRONMENT " is no key.");
	} else {
		err_set(err, ERR_INVALID_FIELD,
		    "No admin key: name a file with --key-file or " KEY_FILE_FROM_ENVIRONMENT
		    ", or set " KEY_FROM_ENVIRONMENT ".");
	}
	if (!err_is(err))
		key[strcspn(key, " \t\r\n")] = '\0';
	return !err_is(err);
}

/* Numbers of the last whole line, as far as there is room: "passwords 10, resealed 4". */
static void
progress_note(struct ctl_session *s, struct slice line)
{
	struct err err = { 0 };
	json_t *json = json_read_object(line, &err);
	const char *member;
	json_t *value;
	struct buf b;

	buf_init(&b, PROGRESS_MAX - 1);
	json_object_foreach(json, member, value)
		if (json_is_integer(value))
			buf_printf(&b, "%s%s %lld", b.len > 0 ? ", " : "", member,
			    (long long)json_integer_value(value));
	if (b.len > 0)
		err_text_copy(s->progress, sizeof(s->progress), b.data);
	buf_free(&b);
	json_decref(json);
}

/* What is before the last whole line has been told and is dropped. */
static void
answer_keep_last_line(struct ctl_session *s)
{
	const char *end = memrchr(s->answer.data, '\n', s->answer.len);
	const char *before;

	if (end == NULL)
		return;
	before = memrchr(s->answer.data, '\n', (size_t)(end - s->answer.data));
	before = before != NULL ? before + 1 : s->answer.data;
	progress_note(s, slice_of(before, (size_t)(end - before)));
	buf_drop(&s->answer, (size_t)(before - s->answer.data));
}

static size_t
answer_add(char *bytes, size_t size, size_t n, void *arg)
{
	struct ctl_session *s = arg;

	if (!buf_add(&s->answer, bytes, size * n))
		return 0;
	if (s->has_lines && s->answer.len > 0)
		answer_keep_last_line(s);
	return size * n;
}

static void
progress_clear(struct ctl_session *s)
{
	if (s->has_shown)
		(void)fputs("\r\033[K", stderr);
	s->has_shown = false;
}

static int
progress_show(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
	struct ctl_session *s = arg;
	uint64_t us = clock_mono_us() - s->began_us;

	(void)total;
	(void)now;
	(void)up_total;
	(void)up;
	if (s->shows_progress && us > PROGRESS_AFTER_US) {
		(void)fprintf(stderr, "\r\033[K%s: %llu s %s", s->what,
		    (unsigned long long)(us / 1000000), s->progress);
		s->has_shown = true;
	}
	return s->stops != NULL && *s->stops != 0;
}

static bool
session_headers(struct ctl_session *s, const char *key)
{
	char line[KEY_MAX + 32];
	struct curl_slist *more;

	(void)snprintf(line, sizeof(line), "Authorization: Bearer %s", key);
	more = curl_slist_append(s->headers, line);
	if (more == NULL)
		return false;
	s->headers = more;
	more = curl_slist_append(s->headers, "Content-Type: application/json");
	if (more == NULL)
		return false;
	s->headers = more;
	return true;
}

/* No redirect is followed, and no proxy of the environment's is asked: a key goes where it was to
 * go, and nowhere else. PATH_AS_IS: ".." may be a tenant's id. */
static void
session_set(struct ctl_session *s, const struct ctl_options *o)
{
	(void)curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
	(void)curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, answer_add);
	(void)curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, s);
	(void)curl_easy_setopt(s->curl, CURLOPT_XFERINFOFUNCTION, progress_show);
	(void)curl_easy_setopt(s->curl, CURLOPT_XFERINFODATA, s);
	(void)curl_easy_setopt(s->curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, s->why);
	(void)curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	(void)curl_easy_setopt(s->curl, CURLOPT_TIMEOUT,
	    (long)(o->timeout_s > 0 ? o->timeout_s : TIMEOUT_S));
	(void)curl_easy_setopt(s->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(s->curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(s->curl, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(s->curl, CURLOPT_TCP_KEEPALIVE, 1L); /* long work has no time-out */
	(void)curl_easy_setopt(s->curl, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
	(void)curl_easy_setopt(s->curl, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
	(void)curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
}

/* Where the environment names nothing, libcurl's own list of authorities holds. */
static void
session_set_tls(struct ctl_session *s, const struct ctl_options *o)
{
	const char *ca = o->ca_file != NULL ? o->ca_file : getenv("TENANTGATE_ADMIN_CA_FILE");
	const char *cert =
	    o->cert_file != NULL ? o->cert_file : getenv("TENANTGATE_ADMIN_CERT_FILE");

	if (text_or_null(ca) != NULL)
		(void)curl_easy_setopt(s->curl, CURLOPT_CAINFO, ca);
	if (text_or_null(cert) != NULL)
		(void)curl_easy_setopt(s->curl, CURLOPT_SSLCERT, cert);
}

struct ctl_session *
ctl_session_open(const struct ctl_options *o, struct err *err)
{
	const char *url = o->url != NULL ? o->url : getenv(URL_FROM_ENVIRONMENT);
	struct ctl_session *s;
	char key[KEY_MAX];

	if (url == NULL || *url == '\0') {
		err_set(err, ERR_INVALID_FIELD,
		    "Where is the admin door? Say --url http://127.0.0.1:PORT (admin_listen_port), "
		    "or set " URL_FROM_ENVIRONMENT ".");
		return NULL;
	}
	if (!key_find(o, key, err))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL || (s->curl = curl_easy_init()) == NULL || !session_headers(s, key)) {
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the session");
		ctl_session_close(s);
		return NULL;
	}
	s->url = url;
	s->timeout_s = o->timeout_s;
	s->shows_progress = isatty(STDERR_FILENO) == 1;
	buf_init(&s->answer, ANSWER_MAX);
	session_set(s, o);
	session_set_tls(s, o);
	return s;
}

/* Without memory for the header the answer comes as one, which is read as well. */
void
ctl_session_expect(struct ctl_session *s, unsigned flags)
{
	struct curl_slist *more;

	if ((flags & CTL_LONG) != 0 && s->timeout_s == 0)
		(void)curl_easy_setopt(s->curl, CURLOPT_TIMEOUT, 0L);
	if ((flags & CTL_LINES) == 0)
		return;
	more = curl_slist_append(s->headers, "Accept: application/x-ndjson");
	if (more == NULL)
		return;
	s->headers = more;
	s->has_lines = true;
	(void)curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
}

void
ctl_session_stop_on(struct ctl_session *s, const volatile sig_atomic_t *flag)
{
	s->stops = flag;
}

void
ctl_session_close(struct ctl_session *s)
{
	if (s == NULL)
		return;
	curl_slist_free_all(s->headers);
	curl_easy_cleanup(s->curl);
	buf_free(&s->answer);
	free(s);
}

/* The server's sentence, with what to look for in its log; then its further reasons, where there
 * are several (the first of `errors` is the sentence). */
static void
tell_problem(const json_t *problem, long status)
{
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	const char *code = json_string_value(json_object_get(problem, "code"));
	const char *id = json_string_value(json_object_get(problem, "request_id"));
	json_t *errors = json_object_get(problem, "errors"), *item;
	char text[512];
	size_t i;

	err_text_copy(text, sizeof(text), detail != NULL ? detail : "It gave no reason.");
	(void)fprintf(stderr, "tenantgatectl: %s (%ld", text, status);
	err_text_copy(text, sizeof(text), code != NULL ? code : "no code");
	(void)fprintf(stderr, " %s", text);
	err_text_copy(text, sizeof(text), id != NULL ? id : "-");
	(void)fprintf(stderr, ", request %s)\n", text);
	json_array_foreach(errors, i, item) {
		if (i == 0 || !json_is_string(item))
			continue;
		err_text_copy(text, sizeof(text), json_string_value(item));
		(void)fprintf(stderr, "tenantgatectl: %s\n", text);
	}
}

static enum ctl_exit
refused_by(long status)
{
	return status >= 400 && status < 500 ? CTL_REFUSED : CTL_AWAY;
}

/* Of several lines the last one: the outcome, or the problem that ended the work half-way. */
static enum ctl_exit
session_outcome(const struct ctl_session *s, json_t **json)
{
	const json_t *problem = json_object_get(*json, "error");
	long status = (long)json_integer_value(json_object_get(problem, "status"));

	if (!s->has_lines || (problem == NULL && json_is_true(json_object_get(*json, "done"))))
		return CTL_DONE;
	if (problem != NULL)
		tell_problem(problem, status);
	else
		(void)fprintf(stderr,
		    "tenantgatectl: The answer broke off before its end. Say the command again; it "
		    "goes on from there.\n");
	json_decref(*json);
	*json = NULL;
	return problem != NULL ? refused_by(status) : CTL_AWAY;
}

static enum ctl_exit
session_answer(struct ctl_session *s, json_t **json)
{
	struct err err = { 0 };
	long status = 0;

	(void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	*json = s->answer.len == 0 ? json_object() : json_read_object(buf_view(&s->answer), &err);
	if (status < 200 || status > 299) {
		tell_problem(*json, status);
		json_decref(*json);
		*json = NULL;
		return refused_by(status);
	}
	if (*json != NULL)
		return session_outcome(s, json);
	(void)fprintf(stderr, "tenantgatectl: The answer is no JSON; is %s an admin door?\n",
	    s->url);
	return CTL_AWAY;
}

static CURLcode
session_perform(struct ctl_session *s, const char *method, const char *url, const json_t *body)
{
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	CURLcode rc;

	(void)curl_easy_setopt(s->curl, CURLOPT_HTTPGET, 1L);
	if (text != NULL)
		(void)curl_easy_setopt(s->curl, CURLOPT_COPYPOSTFIELDS, text);
	(void)curl_easy_setopt(s->curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(s->curl, CURLOPT_URL, url);
	free(text);
	buf_reset(&s->answer);
	s->why[0] = '\0';
	s->began_us = clock_mono_us();
	rc = curl_easy_perform(s->curl);
	progress_clear(s);
	return rc;
}

/* A path without a tenant or an id in it is there in every admin door that knows it: /admin/top. */
static void
tell_no_route(const struct ctl_session *s, const char *path)
{
	const char *name = strchr(path + 1, '/');
	long status = 0;

	(void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 404 && (name == NULL || strchr(name + 1, '/') == NULL))
		(void)fprintf(stderr,
		    "tenantgatectl: %s is another door (see admin_listen_port), or a build that is "
		    "older than this program.\n",
		    s->url);
}

enum ctl_exit
ctl_ask(struct ctl_session *s, const char *what, const char *method, const char *path,
    const json_t *body, json_t **json)
{
	size_t n = strlen(s->url), slashes = 0;
	char *url = malloc(n + strlen(path) + 1);
	enum ctl_exit outcome;
	CURLcode rc;

	*json = NULL;
	if (url == NULL)
		return CTL_AWAY;
	while (slashes < n && s->url[n - 1 - slashes] == '/')
		slashes++;
	memcpy(url, s->url, n - slashes);
	memcpy(url + n - slashes, path, strlen(path) + 1);
	s->what = what;
	rc = session_perform(s, method, url, body);
	free(url);
	if (rc == CURLE_OK) {
		outcome = session_answer(s, json);
		if (outcome == CTL_REFUSED)
			tell_no_route(s, path);
		return outcome;
	}
	if (rc == CURLE_ABORTED_BY_CALLBACK)
		return CTL_AWAY;
	(void)fprintf(stderr, "tenantgatectl: The admin door at %s does not answer: %s.\n", s->url,
	    s->why[0] != '\0' ? s->why : curl_easy_strerror(rc));
	return CTL_AWAY;
}
