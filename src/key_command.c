/* SPDX-License-Identifier: MIT */
/*
 * key_command: `tenantgate key create`, `key list` and `key revoke`, on the catalog itself: for the
 * first key, and for when the admin door is shut. What the words mean, and what is printed; the
 * work is key_job.c.
 */
#include "key_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "key_job.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"

#define LINE_BYTES_MAX (16u << 10) /* of one key in JSON */

const char key_usage[] =
    "  tenantgate -c FILE key create --tenant ID [OPTIONS]   a key of one tenant\n"
    "  tenantgate -c FILE key create --service [OPTIONS]     a web app's: names the tenant in "
    "X-Tenant-Id\n"
    "  tenantgate -c FILE key create --admin [OPTIONS]       an operator's\n"
    "      --note TEXT       for what, or whom\n"
    "      --scopes NAMES    of ingest,chat,search,documents,sql,v1,mcp; without: everything\n"
    "      --expires WHEN    30d, 12h, 90m, 600s, or a time in RFC 3339\n"
    "  tenantgate -c FILE key list [--tenant ID] [--kind KIND] [--note TEXT] [--json]\n"
    "  tenantgate -c FILE key revoke ID [--json]\n";

struct key_words {
	struct key_job job;
	unsigned kinds; /* of --tenant, --service and --admin, how many */
	bool is_json;
	bool is_refused;  /* a word is wrong, and its reason is on stderr */
	unsigned printed; /* keys */
};

static void
refuse_word(struct key_words *w, const char *sentence)
{
	fprintf(stderr, "tenantgate: %s\n", sentence);
	w->is_refused = true;
}

/* ---- the words ---- */

/* Microseconds of one; 0: it is none. */
static uint64_t
time_unit_us(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].seconds * 1000000;
	return 0;
}

static void
read_expiry(struct key_words *w, const char *text)
{
	const uint64_t century = 36525ull * 86400;
	uint64_t at = clock_iso_read(slice_str(text)), unit;
	char *end;

	if (at == 0 && text[0] >= '0' && text[0] <= '9') {
		unsigned long long n = strtoull(text, &end, 10);

		unit = time_unit_us(end);
		if (unit > 0 && n > 0 && n <= century * 1000000 / unit)
			at = clock_wall_us() + n * unit;
	}
	if (at <= clock_wall_us())
		refuse_word(w,
		    "--expires takes a time to come: 30d, 12h, 90m, 600s, or RFC 3339 with its "
		    "zone, as 2030-01-31T12:00:00Z.");
	w->job.order.expires_us = at;
}

static void
read_scopes(struct key_words *w, const char *text)
{
	struct err err = { 0 };

	if (!key_scopes_parse(slice_str(text), &w->job.order.scopes, &err))
		refuse_word(w, err.detail);
}

static void
read_kind(struct key_words *w, const char *text)
{
	static const char *const kinds[] = { "tenant", "service", "admin" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(text, kinds[i]) == 0)
			w->job.page.kind = kinds[i];
	if (w->job.page.kind == NULL)
		refuse_word(w, "--kind is one of tenant, service, admin.");
}

/* One of `create`, or of `list`; false: it is of the other. */
static bool
read_word(struct key_words *w, int c, const char *text)
{
	bool creates = w->job.verb == KEY_CREATE, lists = w->job.verb == KEY_LIST;

	switch (c) {
	case 't':
		w->job.order.kind = CALLER_TENANT;
		w->job.order.tenant = w->job.page.tenant = text;
		w->kinds++;
		return creates || lists;
	case 's':
	case 'a':
		w->job.order.kind = c == 's' ? CALLER_SERVICE : CALLER_ADMIN;
		w->kinds++;
		return creates;
	case 'n':
		w->job.order.note = w->job.page.note_prefix = text;
		return creates || lists;
	case 'o':
		read_scopes(w, text);
		return creates;
	case 'e':
		read_expiry(w, text);
		return creates;
	case 'k':
		read_kind(w, text);
		return lists;
	case 'j':
		w->is_json = true;
		return true;
	default:
		return false;
	}
}

static bool
read_verb(struct key_words *w, const char *word)
{
	static const char *const verbs[] = {
		[KEY_CREATE] = "create",
		[KEY_LIST] = "list",
		[KEY_REVOKE] = "revoke",
	};

	for (unsigned i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		w->job.verb = (enum key_verb)i;
		if (strcmp(word, verbs[i]) == 0)
			return true;
	}
	return false;
}

/* `create` has exactly one of --tenant, --service and --admin, so that nobody gets the strongest by
 * default. */
static bool
key_words_parse(int argc, char **argv, struct key_words *w)
{
	static const struct option options[] = {
		{ "tenant", required_argument, NULL, 't' },
		{ "service", no_argument, NULL, 's' },
		{ "admin", no_argument, NULL, 'a' },
		{ "note", required_argument, NULL, 'n' },
		{ "scopes", required_argument, NULL, 'o' },
		{ "expires", required_argument, NULL, 'e' },
		{ "kind", required_argument, NULL, 'k' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	if (argc < 1 || !read_verb(w, argv[0]))
		return false;
	optind = 0; /* begin anew: the options before the command ended at the first word */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!read_word(w, c, optarg))
			return false;
	if (w->job.verb == KEY_REVOKE && optind + 1 == argc)
		w->job.id = argv[optind++];
	return optind == argc && (w->job.verb != KEY_CREATE || w->kinds == 1) &&
	    (w->job.verb != KEY_REVOKE || w->job.id != NULL);
}

/* What the words say together, before anything is asked of the catalog. */
static void
key_words_check(struct key_words *w)
{
	struct err err = { 0 };

	if (w->job.verb == KEY_CREATE && !key_order_is_valid(&w->job.order, &err))
		refuse_word(w, err.detail);
	if (w->job.verb == KEY_REVOKE && !key_id_valid(slice_str(w->job.id)))
		refuse_word(w,
		    "A key's id is the 12 letters and digits between \"tg_\" and the next \"_\".");
}

/* ---- what is printed ---- */

static void
print_key_json(const struct listed_key *k, const char *before)
{
	json_t *json = key_json(k);
	struct buf b;

	buf_init(&b, LINE_BYTES_MAX);
	if (json != NULL && json_put(&b, json))
		printf("%s%.*s", before, SLICE_ARG(buf_view(&b)));
	buf_free(&b);
	json_decref(json);
}

/* What is printed before a key's JSON. */
static const char *
json_before(const struct key_words *w)
{
	if (w->job.verb == KEY_REVOKE)
		return "{\"key\":";
	return w->printed > 0 ? ",\n" : "\n";
}

static const char *
text_or_dash(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : "-";
}

/* A note is whatever somebody wrote: a terminal would obey its controls. */
static void
print_row(const struct listed_key *k)
{
	char note[KEY_NOTE_MAX + 1];

	err_text_copy(note, sizeof(note), text_or_dash(k->note));
	printf("%-12s  %-7s  %-7s  %-24s  %-24s  %-24s  %-16s  %-20s  %s\n", k->id, k->kind,
	    k->state, k->created_at, text_or_dash(k->expires_at), text_or_dash(k->last_used_at),
	    k->scopes != NULL ? k->scopes : "all", text_or_dash(k->tenant), note);
}

static void
print_begin(const struct key_words *w)
{
	static const struct listed_key head = { "ID", "KIND", "TENANT", "NOTE", "SCOPES", "STATE",
		"CREATED", "EXPIRES", "LAST USED", NULL, NULL };

	if (w->job.verb != KEY_LIST)
		return;
	if (w->is_json)
		printf("{\"keys\":[");
	else
		print_row(&head);
}

static void
key_tell_row(const struct listed_key *k, void *arg)
{
	struct key_words *w = arg;

	if (w->printed == 0)
		print_begin(w);
	if (w->is_json)
		print_key_json(k, json_before(w));
	else if (w->job.verb == KEY_LIST)
		print_row(k);
	else
		printf("Key %s (%s) is revoked since %s.\n", k->id, k->kind, k->revoked_at);
	w->printed++;
}

static void
print_created(const struct key_words *w)
{
	struct listed_key row;

	if (!w->is_json) {
		printf("%s\n", w->job.made.text);
		return;
	}
	key_made_row(&w->job.order, &w->job.made, &row);
	print_key_json(&row, "{\"key\":");
	printf(",\"text\":\"%s\"}\n", w->job.made.text);
}

/* When the replicas refuse it: they hear of it by Redis, or their record's time ends. */
static void
print_effect(const struct key_words *w, uint64_t ttl_us)
{
	unsigned long long seconds = (ttl_us + 999999) / 1000000;

	if (w->is_json && w->job.is_told)
		printf(",\"effective\":\"now\"}\n");
	else if (w->is_json)
		printf(",\"effective\":\"within %llus\"}\n", seconds);
	else if (w->job.is_told)
		printf("It is refused everywhere from now on.\n");
	else
		printf("Redis could not be told: it is refused everywhere within %llu s.\n",
		    seconds);
}

static void
print_end(const struct key_words *w, const struct conf *conf)
{
	if (w->printed == 0)
		print_begin(w);
	if (w->job.verb == KEY_CREATE)
		print_created(w);
	else if (w->job.verb == KEY_REVOKE)
		print_effect(w, conf->auth.cache_ttl_us);
	else if (w->is_json)
		printf("\n],\"next\":null}\n");
}

int
key_command(const struct conf *conf, int argc, char **argv)
{
	struct key_words w = { .job = { .page = { .limit = KEY_PAGE_MAX } } };
	bool ok;

	if (!key_words_parse(argc, argv, &w)) {
		fprintf(stderr, "usage:\n%s", key_usage);
		return 2;
	}
	key_words_check(&w);
	if (w.is_refused)
		return 2;
	log_level(LOG_WARNING); /* of links that come and go nobody needs to read here */
	w.job.tell = key_tell_row;
	w.job.arg = &w;
	ok = key_job_run(&w.job, conf);
	if (ok)
		print_end(&w, conf);
	else
		fprintf(stderr, "tenantgate: %s%s\n",
		    w.job.verb == KEY_CREATE ? "No key was made: " : "", w.job.err.detail);
	bytes_wipe(w.job.made.text, sizeof(w.job.made.text));
	/* A full disk behind a redirection is an error: the key is shown this once. */
	return ok && fflush(stdout) == 0 ? 0 : 1;
}
