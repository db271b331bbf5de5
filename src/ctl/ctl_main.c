/* SPDX-License-Identifier: MIT */
/*
 * tenantgatectl: see, change, repair, by the admin door of a running tenantgate.
 *
 *	tenantgatectl [options] COMMAND [arguments] [the command's options]
 *
 * Exit status: 0 done; 1 refused, the sentence says why; 2 a command line that makes no sense, or
 * was not confirmed; 3 no answer, or the server cannot now.
 */
#include <curl/curl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ctl/ctl.h"

#define WORDS_MAX    256
#define ROWS_DEFAULT 100

struct command_line {
	struct ctl_options options;
	char *words[WORDS_MAX]; /* what is no option for every command; borrowed from argv */
	int count;
	bool wants_help, wants_version, wants_manual, wants_completion;
};

static void
print_usage(void)
{
	printf("usage: tenantgatectl [options] COMMAND [arguments]\n\n");
	ctl_commands_print();
	printf("\noptions:\n"
	       "  --url URL         the admin door; or TENANTGATE_ADMIN_URL\n"
	       "  --key-file FILE   has an admin key; or TENANTGATE_ADMIN_KEY_FILE, or the key "
	       "itself in\n"
	       "                    TENANTGATE_ADMIN_KEY\n"
	       "  --json            what the server says, as it says it\n"
	       "  --dry-run         what would be done; nothing is\n"
	       "  --yes             do not ask before what cannot be undone\n"
	       "  --limit N, --all  rows of a list (%d)\n"
	       "  --interval SECONDS, --rounds N  of top: how often, how many times\n"
	       "  --timeout SECONDS how long an answer may take (120; what may take hours: no "
	       "limit)\n"
	       "  --help, --version, --manual; COMMAND --help\n"
	       "\nexit status: 0 done, 1 refused, 2 wrong command line or not confirmed, 3 no "
	       "answer\n",
	    ROWS_DEFAULT);
}

static bool
read_number(const char *text, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || n > 1000000)
		return false;
	*out = (unsigned)n;
	return true;
}

static bool
switch_read(struct command_line *line, const char *word)
{
	struct ctl_options *o = &line->options;
	const struct {
		const char *name;
		bool *on;
	} switches[] = {
		{ "--json", &o->is_json },
		{ "--dry-run", &o->is_dry_run },
		{ "--yes", &o->is_certain },
		{ "--help", &line->wants_help },
		{ "-h", &line->wants_help },
		{ "--version", &line->wants_version },
		{ "--manual", &line->wants_manual },
	};

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (strcmp(word, switches[i].name) == 0) {
			*switches[i].on = true;
			return true;
		}
	if (strcmp(word, "--all") != 0)
		return false;
	o->limit = 0;
	return true;
}

/* 1: an option with its value was read; 0: it is none of these; -1: its value makes no sense. */
static int
valued_read(struct command_line *line, const char *word, const char *value)
{
	struct ctl_options *o = &line->options;

	if (strcmp(word, "--url") == 0)
		o->url = value;
	else if (strcmp(word, "--key-file") == 0)
		o->key_file = value;
	else if (strcmp(word, "--limit") == 0)
		return value != NULL && read_number(value, &o->limit) && o->limit > 0 ? 1 : -1;
	else if (strcmp(word, "--interval") == 0)
		return value != NULL && read_number(value, &o->interval_s) ? 1 : -1;
	else if (strcmp(word, "--rounds") == 0)
		return value != NULL && read_number(value, &o->rounds) ? 1 : -1;
	else if (strcmp(word, "--timeout") == 0)
		return value != NULL && read_number(value, &o->timeout_s) && o->timeout_s > 0 ? 1
											      : -1;
	else
		return 0;
	return value != NULL ? 1 : -1;
}

/* --complete takes all that follows as it is. */
static bool
line_read(struct command_line *line, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int valued;

		if (line->count == WORDS_MAX)
			return false;
		if (line->wants_completion || !strcmp(argv[i], "--complete")) {
			if (line->wants_completion)
				line->words[line->count++] = argv[i];
			line->wants_completion = true;
			continue;
		}
		if (switch_read(line, argv[i]))
			continue;
		valued = valued_read(line, argv[i], argv[i + 1]);
		if (valued < 0)
			return false;
		if (valued > 0)
			i++;
		else
			line->words[line->count++] = argv[i];
	}
	return true;
}

static enum ctl_exit
run_command(const struct command_line *line, const struct ctl_command *c, int used)
{
	struct ctl_request request = { 0 };
	struct ctl_session *session = NULL;
	enum ctl_exit rc = CTL_USAGE;
	struct err err = { 0 };

	if (ctl_request_make(&request, c, &line->options, (char *const *)line->words + used,
		line->count - used, &err))
		session = ctl_session_open(&line->options, &err);
	if (session != NULL)
		rc = ctl_run(session, c, &line->options, &request);
	else
		(void)fprintf(stderr, "tenantgatectl: %s\n", err.detail);
	ctl_session_close(session);
	ctl_request_free(&request);
	return rc;
}

static enum ctl_exit
dispatch(const struct command_line *line)
{
	const struct ctl_command *c;
	int used;

	if (line->wants_version) {
		printf("tenantgatectl %s, %s, jansson %s\n", VERSION, curl_version(),
		    jansson_version_str());
		return CTL_DONE;
	}
	if (line->wants_manual) {
		ctl_manual_print();
		return CTL_DONE;
	}
	if (line->wants_completion) {
		ctl_complete(&line->options, line->words, line->count);
		return CTL_DONE;
	}
	c = ctl_command_find(line->words, line->count, &used);
	if (c != NULL && !line->wants_help)
		return run_command(line, c, used);
	if (c != NULL)
		ctl_command_print(c);
	else if (line->wants_help)
		print_usage();
	else
		(void)fprintf(stderr,
		    "tenantgatectl: %s%.60s%s; `tenantgatectl --help` has them all.\n",
		    line->count > 0 ? "There is no command \"" : "Say a command",
		    line->count > 0 ? line->words[0] : "", line->count > 0 ? "\" alone" : "");
	return line->wants_help ? CTL_DONE : CTL_USAGE;
}

int
main(int argc, char **argv)
{
	struct command_line line = {
		.options = { .limit = ROWS_DEFAULT, .interval_s = 1 },
	};
	enum ctl_exit rc;

	(void)setlocale(LC_ALL, "");
	if (!line_read(&line, argc, argv)) {
		(void)fprintf(stderr,
		    "tenantgatectl: an option wants another value; try --help.\n");
		return CTL_USAGE;
	}
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	rc = dispatch(&line);
	curl_global_cleanup();
	return rc;
}
