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

#define PAGE_ROWS 500

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

static void
print_json(const json_t *json)
{
	(void)json_dumpf(json, stdout, isatty(STDOUT_FILENO) == 1 ? JSON_INDENT(2) : JSON_COMPACT);
	putchar('\n');
}

static enum ctl_exit
print_one(const struct ctl_command *c, const struct ctl_options *o, const json_t *answer)
{
	const json_t *rows = c->list != NULL ? json_object_get(answer, c->list) : NULL;

	if (o->is_json)
		print_json(answer);
	else if (json_is_array(rows))
		ctl_print_rows(rows, c->columns);
	else
		ctl_print_object(answer);
	return CTL_DONE;
}

/* Moves a page's rows to the others. True when there is another page, whose cursor is in *next. */
static bool
page_take(const struct ctl_command *c, const struct ctl_options *o, json_t *all, json_t *page,
    char **next)
{
	const char *cursor = json_string_value(json_object_get(page, "next"));
	json_t *rows = json_object_get(page, c->list);

	free(*next);
	*next = cursor != NULL ? strdup(cursor) : NULL;
	if (rows != NULL)
		(void)json_array_extend(all, rows);
	while (o->limit > 0 && json_array_size(all) > o->limit)
		(void)json_array_remove(all, json_array_size(all) - 1);
	return *next != NULL && (o->limit == 0 || json_array_size(all) < o->limit);
}

static enum ctl_exit
pages_ask(struct ctl_session *s, const struct ctl_command *c, const struct ctl_options *o,
    struct ctl_request *r, json_t *all, char **next)
{
	size_t length = r->path.len;
	enum ctl_exit rc;
	char number[16];
	bool has_more;

	do {
		json_t *page;

		buf_cut(&r->path, length);
		(void)snprintf(number, sizeof(number), "%u",
		    o->limit > 0 && o->limit < PAGE_ROWS ? o->limit : PAGE_ROWS);
		ctl_query_add(&r->path, "limit", number);
		if (*next != NULL)
			ctl_query_add(&r->path, "cursor", *next);
		rc = ctl_ask(s, c->words, c->method, r->path.data, NULL, &page);
		has_more = rc == CTL_DONE && page_take(c, o, all, page, next);
		json_decref(page);
	} while (has_more);
	return rc;
}

static enum ctl_exit
run_pages(struct ctl_session *s, const struct ctl_command *c, const struct ctl_options *o,
    struct ctl_request *r)
{
	json_t *all = json_array();
	char *next = NULL;
	enum ctl_exit rc = pages_ask(s, c, o, r, all, &next);

	if (rc == CTL_DONE && o->is_json) {
		json_t *answer = json_pack("{s:O, s:s?}", c->list, all, "next", next);

		print_json(answer);
		json_decref(answer);
	} else if (rc == CTL_DONE) {
		ctl_print_rows(all, c->columns);
		if (next != NULL)
			(void)fprintf(stderr, "There are more; --all shows them.\n");
	}
	free(next);
	json_decref(all);
	return rc;
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
	rc = ctl_ask(s, c->words, c->method, r->path.data, r->body, &answer);
	if (rc == CTL_DONE)
		rc = print_one(c, o, answer);
	json_decref(answer);
	return rc;
}
