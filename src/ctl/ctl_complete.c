/* SPDX-License-Identifier: MIT */
/*
 * ctl_complete: what could follow in the shell: a command's next word, an option, or a tenant's id,
 * which the admin door is asked for, and briefly.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"

#define TENANTS_SHOWN  "50"
#define TENANT_WAIT_S  1
#define PATH_MAX_BYTES 1024

static bool
starts(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Commands that begin with the whole words before the last: their next one, each once, for those
 * that begin alike stand together in the table. */
static void
complete_command(char *const *words, int count)
{
	const char *last = "";

	for (const struct ctl_command *c = ctl_commands; c->words != NULL; c++) {
		const char *rest = c->words;
		int i = 0;

		for (; i < count - 1; i++) {
			size_t n = strcspn(rest, " ");

			if (strlen(words[i]) != n || strncmp(words[i], rest, n) != 0)
				break;
			rest += n + strspn(rest + n, " ");
		}
		if (i < count - 1 || *rest == '\0' || !starts(rest, words[i]) ||
		    strncmp(last, rest, strcspn(rest, " ")) == 0)
			continue;
		printf("%.*s\n", (int)strcspn(rest, " "), rest);
		last = rest;
	}
}

/* As tenants' ids are: nothing that a shell or a terminal would obey is offered to either. */
static bool
is_id(const char *text)
{
	return text != NULL && *text != '\0' &&
	    text[strspn(text,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789._:@-")] == '\0';
}

static void
complete_tenant(const struct ctl_options *o, const char *beginning)
{
	struct ctl_options brief = *o;
	struct err err = { 0 };
	struct ctl_session *s;
	json_t *answer = NULL, *row;
	struct buf path;
	size_t i;

	brief.timeout_s = TENANT_WAIT_S;
	s = ctl_session_open(&brief, &err);
	if (s == NULL)
		return;
	buf_init(&path, PATH_MAX_BYTES);
	buf_puts(&path, "/admin/tenants");
	ctl_query_add(&path, "limit", TENANTS_SHOWN);
	ctl_query_add(&path, "prefix", beginning);
	if (ctl_ask(s, "complete", "GET", path.data, NULL, &answer) == CTL_DONE)
		json_array_foreach(json_object_get(answer, "tenants"), i, row)
			if (is_id(json_string_value(json_object_get(row, "id"))))
				printf("%s\n", json_string_value(json_object_get(row, "id")));
	json_decref(answer);
	buf_free(&path);
	ctl_session_close(s);
}

static void
complete_option(const struct ctl_command *c, const char *beginning)
{
	static const char *const common[] = { "url", "key-file", "ca-file", "cert-file", "timeout",
		"limit", "all", "json", "dry-run", "yes", "help" };

	for (const struct ctl_option *o = c != NULL ? c->options : NULL;
	     o != NULL && o->name != NULL; o++)
		if (starts(o->name, beginning + 2))
			printf("--%s\n", o->name);
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		if (starts(common[i], beginning + 2))
			printf("--%s\n", common[i]);
}

void
ctl_complete(const struct ctl_options *o, char *const *words, int count)
{
	const struct ctl_command *c;
	int used;

	if (count == 0)
		return;
	c = ctl_command_find(words, count - 1, &used);
	if (starts(words[count - 1], "--"))
		complete_option(c, words[count - 1]);
	else if (c != NULL && used == count - 1 && starts(c->arguments, "TENANT"))
		complete_tenant(o, words[count - 1]);
	complete_command(words, count);
}
