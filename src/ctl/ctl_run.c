/* SPDX-License-Identifier: MIT */
/*
 * ctl_run: a command from its request to what is shown: the pages of a list, the question before
 * what cannot be undone, and the answer as JSON or for people.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/ctl_top.h"

#define PAGE_ROWS   500
#define COUNTED_MAX 200
#define PAGES_MAX   100000 /* against cursors that never end */

/* With no terminal there is nobody to ask: a script says --yes. */
static bool
is_confirmed(const struct ctl_command *c, const struct ctl_options *o, const struct ctl_request *r)
{
	char word[16];

	if ((c->flags & CTL_CONFIRM) == 0 || o->is_certain || o->is_dry_run)
		return true;
	if (isatty(STDIN_FILENO) == 0) {
		(void)fprintf(stderr,
		    "tenantgatectl: \"%s\" cannot be undone; say --yes, or look first with "
		    "--dry-run.\n",
		    c->words);
		return false;
	}
	(void)fprintf(stderr, "%s: %s %s. Type yes to do it: ", c->words, c->method, r->path.data);
	if (fgets(word, sizeof(word), stdin) == NULL)
		return false;
	word[strcspn(word, "\n")] = '\0';
	if (strcmp(word, "yes") == 0)
		return true;
	(void)fputs("Nothing was done.\n", stderr);
	return false;
}

/* In a terminal all but ASCII is escaped: jansson leaves the controls of C1 as they are. */
static void
print_json(const json_t *json)
{
	(void)json_dumpf(json, stdout,
	    isatty(STDOUT_FILENO) == 1 ? JSON_INDENT(2) | JSON_ENSURE_ASCII : JSON_COMPACT);
	putchar('\n');
}

/* Another server's answer has no rows either: that is not none of them. */
static enum ctl_exit
tell_no_rows(const struct ctl_command *c)
{
	(void)fprintf(stderr,
	    "tenantgatectl: The answer has no list \"%s\", or one that does not end; is that an "
	    "admin door of this version?\n",
	    c->list);
	return CTL_AWAY;
}

static enum ctl_exit
print_one(const struct ctl_command *c, const struct ctl_options *o, const json_t *answer)
{
	const json_t *rows = c->list != NULL ? json_object_get(answer, c->list) : NULL;
	json_int_t count = json_integer_value(json_object_get(answer, "count"));

	if (c->list != NULL && !json_is_array(rows))
		return tell_no_rows(c);
	if (o->is_json)
		print_json(answer);
	else if (rows != NULL)
		ctl_print_rows(rows, c->columns);
	else
		ctl_print_object(answer);
	if ((c->flags & CTL_COUNTED) != 0 && !o->is_json &&
	    count > (json_int_t)json_array_size(rows))
		(void)fprintf(stderr, "There are %lld; these are the first.\n", (long long)count);
	return CTL_DONE;
}

/* A list while its pages come: the first answer, to which the others' rows are moved. */
struct page_list {
	json_t *answer; /* owned */
	json_t *rows;	/* the answer's */
	unsigned pages;
};

static const char *
page_next(const struct page_list *l)
{
	return json_string_value(json_object_get(l->answer, "next"));
}

/* Takes the page over. False when it is none, or goes on where it began. */
static bool
page_take(const struct ctl_command *c, struct page_list *l, json_t *page)
{
	json_t *rows = json_object_get(page, c->list), *next = json_object_get(page, "next");
	const char *cursor = json_string_value(next);
	bool is_page = json_is_array(rows) && l->pages++ < PAGES_MAX;

	if (is_page && l->answer == NULL) {
		l->answer = page;
		l->rows = rows;
		return true;
	}
	is_page = is_page && (cursor == NULL || strcmp(cursor, page_next(l)) != 0) &&
	    json_array_extend(l->rows, rows) == 0 &&
	    json_object_set_new(l->answer, "next",
		next != NULL ? json_incref(next) : json_null()) == 0;
	json_decref(page);
	return is_page;
}

/* No more rows are asked for than are wanted, so that "next" is behind the last that is shown. */
static void
page_path(struct ctl_request *r, size_t length, const struct ctl_options *o,
    const struct page_list *l)
{
	size_t left = o->limit > 0 ? o->limit - json_array_size(l->rows) : PAGE_ROWS;
	char number[24];

	buf_cut(&r->path, length);
	(void)snprintf(number, sizeof(number), "%zu", left < PAGE_ROWS ? left : PAGE_ROWS);
	ctl_query_add(&r->path, "limit", number);
	if (l->answer != NULL)
		ctl_query_add(&r->path, "cursor", page_next(l));
}

static enum ctl_exit
pages_ask(struct ctl_session *s, const struct ctl_command *c, const struct ctl_options *o,
    struct ctl_request *r, struct page_list *l)
{
	size_t length = r->path.len;
	enum ctl_exit rc;
	json_t *page;

	do {
		page_path(r, length, o, l);
		rc = ctl_ask(s, c->words, c->method, r->path.data, NULL, &page);
		if (rc == CTL_DONE && !page_take(c, l, page))
			rc = tell_no_rows(c);
	} while (rc == CTL_DONE && page_next(l) != NULL &&
	    (o->limit == 0 || json_array_size(l->rows) < o->limit));
	return rc;
}

static enum ctl_exit
run_pages(struct ctl_session *s, const struct ctl_command *c, const struct ctl_options *o,
    struct ctl_request *r)
{
	struct page_list l = { 0 };
	enum ctl_exit rc = pages_ask(s, c, o, r, &l);

	if (rc == CTL_DONE && o->is_json) {
		print_json(l.answer);
	} else if (rc == CTL_DONE) {
		ctl_print_rows(l.rows, c->columns);
		if (page_next(&l) != NULL)
			(void)fprintf(stderr, "There are more; --all shows them.\n");
	}
	json_decref(l.answer);
	return rc;
}

/* Of such a list there are no pages: --all is as many as are told at the most. */
static void
limit_add(const struct ctl_options *o, struct ctl_request *r)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%u", o->limit > 0 ? o->limit : COUNTED_MAX);
	ctl_query_add(&r->path, "limit", number);
}

enum ctl_exit
ctl_run(struct ctl_session *s, const struct ctl_command *c, const struct ctl_options *o,
    struct ctl_request *r)
{
	enum ctl_exit rc;
	json_t *answer;

	if (!is_confirmed(c, o, r))
		return CTL_USAGE;
	ctl_session_expect(s, c->flags);
	if ((c->flags & CTL_TOP) != 0 && !o->is_json)
		return ctl_top(s, o->interval_s, o->rounds);
	if ((c->flags & CTL_PAGES) != 0)
		return run_pages(s, c, o, r);
	if ((c->flags & CTL_COUNTED) != 0)
		limit_add(o, r);
	rc = ctl_ask(s, c->words, c->method, r->path.data, r->body, &answer);
	if (rc == CTL_DONE)
		rc = print_one(c, o, answer);
	json_decref(answer);
	return rc;
}
