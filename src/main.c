/* SPDX-License-Identifier: MIT */
/*
 * tenantgate: a reverse proxy that gives every tenant of a web app its own Neon Postgres database.
 * This file reads the command line and does what must be done before the first thread: options,
 * configuration, log, pid file, and giving up root.
 *
 * To read the program in the order of a request:
 *	http/ -> api/route.c -> api/request.c -> auth/ -> tenant/ -> limit/ -> api/chat.c
 *	-> model/ -> pool/ -> retrieval/ -> model/ -> http/
 * What surrounds a request: serve.c (the process, its phases and signals), worker_context.c (what
 * one worker owns), conf.c (the configuration).
 *
 * Exit status: 0 when all was well, 1 when something failed, 2 for a wrong command line. Before
 * serving, errors go to stderr in plain text; from then on everything goes to the log.
 */
#define _GNU_SOURCE /* O_PATH */
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf.h"
#include "conf_contradictions.h"
#include "config.h"
#include "key_command.h"
#include "pid_file.h"
#include "preflight.h"
#include "privilege.h"
#include "reembed_command.h"
#include "serve.h"
#include "tenantgate/base/log.h"

#define DEFAULT_CONF SYSCONFDIR "/tenantgate/tenantgate.conf"
#define ERRORS_MAX   (64u << 10) /* bytes of all errors of a configuration together */

struct command {
	const char *conf_path; /* borrowed from argv */
	bool test_only;	       /* -t: read the configuration and exit */
	bool takes_over;       /* --take-over */
};

static void
print_help(void)
{
	printf("usage:\n"
	       "  tenantgate -c FILE                  serve\n"
	       "  tenantgate --take-over -c FILE      serve in the place of the process that "
	       "answers at takeover_socket\n"
	       "  tenantgate -t -c FILE               check all that a start needs here: exits 0 "
	       "or 1\n"
	       "  tenantgate --sample                 print a sample configuration\n"
	       "  tenantgate --manual                 print the page tenantgate.conf(5)\n"
	       "  tenantgate --version | --help\n"
	       "%s%s"
	       "\nKeys of the configuration file (default " DEFAULT_CONF "):\n\n",
	    key_usage, reembed_usage);
	conf_print_keys(stdout);
}

/* The libraries' versions are those that run, not those that the program was built with. */
static void
print_version(void)
{
	printf("%s (libpq %d.%d, libcurl %s)\n", PACKAGE_STRING, pg_library_version() / 10000,
	    pg_library_version() % 10000, web_library_version());
}

/* Options before the subcommand ("+": getopt stops at the first word that is none, for `key create`
 * has options of its own). Exits for those that only print; false when one is unknown. */
static bool
parse_options(int argc, char **argv, struct command *cmd)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "test", no_argument, NULL, 't' },
		{ "take-over", no_argument, NULL, 'o' },
		{ "sample", no_argument, NULL, 's' },
		{ "manual", no_argument, NULL, 'm' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+c:thV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			cmd->conf_path = optarg;
			break;
		case 't':
			cmd->test_only = true;
			break;
		case 'o':
			cmd->takes_over = true;
			break;
		case 's':
			conf_print_sample(stdout);
			exit(0);
		case 'm':
			conf_print_manual(stdout);
			exit(0);
		case 'V':
			print_version();
			exit(0);
		case 'h':
			print_help();
			exit(0);
		default:
			return false;
		}
	}
	return true;
}

/* False when the configuration has errors: all of them are on stderr, a line each. */
static bool
load_conf(struct conf *conf, const char *path)
{
	struct buf errors;
	bool ok;

	buf_init(&errors, ERRORS_MAX);
	ok = conf_load(conf, path, &errors);
	if (!ok)
		fprintf(stderr, "%.*s", SLICE_ARG(buf_view(&errors)));
	buf_free(&errors);
	return ok;
}

/*
 * Started as root: the extractor may lie where the user we become cannot look (a clone under
 * /root), so it is opened now and executed through its descriptor, /proc/self/fd/N. The descriptor
 * stays open until the process ends; close-on-exec keeps it from the children.
 */
static bool
open_extractor(struct conf *conf, char path[64])
{
	int fd;

	if (geteuid() != 0)
		return true;
	fd = open(conf->api.extract.program, O_PATH | O_CLOEXEC);
	if (fd == -1) {
		fprintf(stderr, "tenantgate: extract_program %s cannot be opened: %m.\n",
		    conf->api.extract.program);
		return false;
	}
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	conf->api.extract.program = path;
	return true;
}

/* Raises the soft limit of descriptors to the hard one: the soft one (1024, say) is there for
 * programs that use select(2), and libevent uses epoll. When even the hard limit is short of what
 * the configuration may need, a warning is logged and the start goes on: connections past the limit
 * wait in the listeners' backlog. */
static void
raise_descriptors(const struct conf *conf)
{
	rlim_t want = conf_descriptors(conf);
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < want)
		log_event(LOG_WARNING, "serve.descriptors", NULL,
		    "%llu descriptors may be open, and max_client_conn and max_server_connections "
		    "may need %llu; raise the limit (LimitNOFILE, ulimit -n) or lower the keys.",
		    (unsigned long long)files.rlim_max, (unsigned long long)want);
}

/* Large buffers (bodies, texts, vectors) are mapped each by itself: one that grows has its pages
 * moved, not copied in a turn of the loop, and one that is freed goes back to the system at once.
 * glibc's own threshold would rise to the largest that was ever freed, up to 32 MiB. */
static void
map_large_buffers(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 8 << 20);
#endif
}

/*
 * The order: the log first, so that what follows can be logged; then all that needs root; then root
 * is given up, while this is the only thread, so that no other ever was root; then the threads.
 */
static int
run_daemon(struct conf *conf, const struct command *cmd)
{
	struct serve_start start = { .path = cmd->conf_path, .takes_over = cmd->takes_over };
	char extractor[64];

	map_large_buffers();
	log_level(conf->log_level);
	log_begin();
	if (*conf->log_file != '\0' && !log_open(conf->log_file)) {
		fprintf(stderr, "tenantgate: log_file %s cannot be opened: %m.\n", conf->log_file);
		return 1;
	}
	if (conf->advice != NULL)
		log_event(LOG_WARNING, "serve.conf", NULL, "%s", conf->advice);
	raise_descriptors(conf);
	if (!pid_file_open(conf->pid_file, &start.pid_file) || !open_extractor(conf, extractor) ||
	    !privilege_drop(conf->user))
		return 1;
	return serve(conf, &start);
}

/* -t. Errors of the file are on stderr already; the rest is looked at all the same, so that one run
 * shows all that is to be done. */
static int
test_start(struct conf *conf, const char *path, bool is_loaded)
{
	struct buf warnings, errors;
	int status;

	buf_init(&warnings, ERRORS_MAX);
	buf_init(&errors, ERRORS_MAX);
	if (is_loaded && conf->advice != NULL)
		buf_printf(&warnings, "%s: %s\n", path, conf->advice);
	preflight(conf, path, is_loaded, &errors, &warnings);
	fprintf(stderr, "%.*s", SLICE_ARG(buf_view(&errors)));
	fprintf(stderr, "%.*s", SLICE_ARG(buf_view(&warnings)));
	status = is_loaded && errors.len == 0 ? 0 : 1;
	if (status == 0)
		printf("%s: The configuration is fine.\n", path);
	buf_free(&warnings);
	buf_free(&errors);
	return status;
}

static int
unknown_command(const char *name)
{
	fprintf(stderr, "tenantgate: Unknown command \"%s\"; try `tenantgate --help`.\n", name);
	return 2;
}

int
main(int argc, char **argv)
{
	struct command cmd = { .conf_path = DEFAULT_CONF };
	struct conf conf = { 0 };
	int status = 0;
	bool is_loaded;

	if (!parse_options(argc, argv, &cmd)) {
		fprintf(stderr, "Try `tenantgate --help`.\n");
		return 2;
	}
	is_loaded = load_conf(&conf, cmd.conf_path);
	/* Values of the configuration may come from the environment, at a reload too. */
	conf_environment_keep();
	pg_environment_clear();
	if (cmd.test_only)
		status = test_start(&conf, cmd.conf_path, is_loaded);
	else if (!is_loaded)
		status = 1;
	else if (optind < argc && strcmp(argv[optind], "key") == 0)
		status = key_command(&conf, argc - optind - 1, argv + optind + 1);
	else if (optind < argc && strcmp(argv[optind], "reembed") == 0)
		status = reembed_command(&conf, argc - optind - 1, argv + optind + 1);
	else if (optind < argc)
		status = unknown_command(argv[optind]);
	else
		status = run_daemon(&conf, &cmd);
	conf_free(&conf);
	return status;
}
