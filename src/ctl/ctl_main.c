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
#include <errno.h>
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
	       "  --ca-file FILE    who has signed the door's certificate; or "
	       "TENANTGATE_ADMIN_CA_FILE\n"
	       "  --cert-file FILE  a certificate to show there, with its key; or "
	       "TENANTGATE_ADMIN_CERT_FILE\n"
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

/* "--name VALUE", or "--name=VALUE". Returns how many words it took; 0: it is none of these; -1:
 * its value makes no sense. next: NULL when there is none. */
static int
valued_read(struct command_line *line, const char *word, const char *next)
{
	struct ctl_options *o = &line->options;
	const struct {
		const char *name;
		const char **text;
		unsigned *number, least;
	} valued[] = {
		{ "--url", &o->url, NULL, 0 },
		{ "--key-file", &o->key_file, NULL, 0 },
		{ "--ca-file", &o->ca_file, NULL, 0 },
		{ "--cert-file", &o->cert_file, NULL, 0 },
		{ "--limit", NULL, &o->limit, 1 },
		{ "--interval", NULL, &o->interval_s, 0 },
		{ "--rounds", NULL, &o->rounds, 0 },
		{ "--timeout", NULL, &o->timeout_s, 1 },
	};
	size_t n = strcspn(word, "=");
	const char *value = word[n] == '=' ? word + n + 1 : next;

	for (size_t i = 0; i < sizeof(valued) / sizeof(valued[0]); i++) {
		unsigned *number = valued[i].number;

		if (strlen(valued[i].name) != n || strncmp(valued[i].name, word, n) != 0)
			continue;
		if (value == NULL ||
		    (number != NULL && (!read_number(value, number) || *number < valued[i].least)))
			return -1;
		if (number == NULL)
			*valued[i].text = value;
		return word[n] == '=' ? 1 : 2;
	}
	return 0;
}

/* An option behind a command that has one of that name is the command's: `tenant adopt T --url`. */
static bool
is_commands_own(const struct command_line *line, const char *word)
{
	int used;
	const struct ctl_command *c = ctl_command_find(line->words, line->count, &used);

	for (const struct ctl_option *o = c != NULL ? c->options : NULL;
	     o != NULL && o->name != NULL; o++)
		if (strncmp(word, "--", 2) == 0 && strlen(o->name) == strcspn(word + 2, "=") &&
		    strncmp(o->name, word + 2, strlen(o->name)) == 0)
			return true;
	return false;
}

/* --complete takes all that follows as it is. */
static bool
line_read(struct command_line *line, int argc, char **argv)
{
	for (int i = 1, taken; i < argc; i += taken) {
		taken = 1;
		if (line->count == WORDS_MAX)
			return false;
		if (line->wants_completion || !strcmp(argv[i], "--complete")) {
			if (line->wants_completion)
				line->words[line->count++] = argv[i];
			line->wants_completion = true;
			continue;
		}
		if (is_commands_own(line, argv[i])) {
			line->words[line->count++] = argv[i];
			continue;
		}
		if (switch_read(line, argv[i]))
			continue;
		taken = valued_read(line, argv[i], argv[i + 1]);
		if (taken < 0)
			return false;
		if (taken == 0) {
			line->words[line->count++] = argv[i];
			taken = 1;
		}
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

/* A key whose text could not be written is lost, and a list without its end is none. */
static bool
output_is_whole(void)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return true;
	(void)fprintf(stderr,
	    "tenantgatectl: What was answered could not be written (%s). What was asked for may be "
	    "done all the same; look before you ask again.\n",
	    strerror(errno));
	return false;
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
	return output_is_whole() ? rc : CTL_AWAY;
}
