/* SPDX-License-Identifier: MIT */
/*
 * tenantgate: a reverse proxy that gives every tenant of a web app its own Neon Postgres database.
 *
 * The cover page. To read the program in the order of a request:
 *	http/ -> api/route.c -> api/request.c -> auth/ -> tenant/ -> limit/ -> api/chat.c
 *	-> model/ -> pool/ -> retrieval/ -> model/ -> http/
 * How the house is built: serve.c (the process), worker_context.c (one worker's rooms), conf.c (the
 * keys).
 */
#define _GNU_SOURCE /* O_PATH */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "conf.h"
#include "key_command.h"
#include "privilege.h"
#include "serve.h"
#include "tenantgate/base/log.h"

#define DEFAULT_CONF SYSCONFDIR "/tenantgate/tenantgate.conf"
#define ERRORS_MAX   (64u << 10)

struct command {
	const char *conf_path;
	bool test_only;
};

static void
print_help(void)
{
	printf("usage:\n"
	       "  tenantgate -c FILE                  serve\n"
	       "  tenantgate -t -c FILE               check the configuration: exits 0 or 1\n"
	       "  tenantgate --sample                 print a sample configuration\n"
	       "  tenantgate --version | --help\n"
	       "%s"
	       "\nKeys of the configuration file (default " DEFAULT_CONF "):\n\n",
	    key_usage);
	conf_print_keys(stdout);
}

static void
print_version(void)
{
	printf("%s (libpq %d.%d, libcurl %s)\n", PACKAGE_STRING, pg_library_version() / 10000,
	    pg_library_version() % 10000, web_library_version());
}

/* Options before the subcommand; exits for those that only print. */
static bool
parse_options(int argc, char **argv, struct command *cmd)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "test", no_argument, NULL, 't' },
		{ "sample", no_argument, NULL, 's' },
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
		case 's':
			conf_print_sample(stdout);
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
 * The extractor may lie where the user we become cannot look (a clone under /root): it is opened
 * now and executed through its descriptor.
 */
static bool
hold_extractor(struct conf *conf, char path[64])
{
	int fd;

	if (geteuid() != 0)
		return true;
	fd = open(conf->api.extract.program, O_PATH | O_CLOEXEC);
	if (fd == -1) {
		fprintf(stderr, "tenantgate: %s: %m\n", conf->api.extract.program);
		return false;
	}
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	conf->api.extract.program = path;
	return true;
}

/* The file is written before root is given up: /run belongs to it. */
static bool
write_pid(const char *path)
{
	FILE *f;

	if (*path == '\0')
		return true;
	f = fopen(path, "we");
	if (f == NULL || fprintf(f, "%d\n", getpid()) < 0 || fclose(f) != 0) {
		fprintf(stderr, "tenantgate: pid_file %s: %m\n", path);
		return false;
	}
	return true;
}

/* A shell's soft limit (1024, say) is for programs that use select(2). What is short even then is
 * told, not refused: connections past it wait in the backlog. */
static void
raise_descriptors(const struct conf *conf)
{
	rlim_t want = conf->http.max_client_conn + conf->pool.max_server_connections + 256;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < want)
		log_event(LOG_WARNING, "serve.descriptors", NULL,
		    "%llu descriptors may be open; max_client_conn and max_server_connections "
		    "may need %llu",
		    (unsigned long long)files.rlim_max, (unsigned long long)want);
}

static int
run_daemon(struct conf *conf)
{
	char extractor[64];

	log_level(conf->log_level);
	log_begin();
	if (*conf->log_file != '\0' && !log_open(conf->log_file)) {
		fprintf(stderr, "tenantgate: log_file %s: %m\n", conf->log_file);
		return 1;
	}
	raise_descriptors(conf);
	if (!write_pid(conf->pid_file) || !hold_extractor(conf, extractor) ||
	    !privilege_drop(conf->user))
		return 1;
	return serve(conf);
}

int
main(int argc, char **argv)
{
	struct command cmd = { .conf_path = DEFAULT_CONF };
	struct conf conf = { 0 };
	int status = 0;

	if (!parse_options(argc, argv, &cmd)) {
		fprintf(stderr, "try: tenantgate --help\n");
		return 2;
	}
	if (!load_conf(&conf, cmd.conf_path)) {
		conf_free(&conf);
		return 1;
	}
	if (cmd.test_only)
		printf("%s: the configuration is fine\n", cmd.conf_path);
	else if (optind < argc && strcmp(argv[optind], "key") == 0)
		status = key_command(&conf, argc - optind - 1, argv + optind + 1);
	else if (optind < argc)
		status = (fprintf(stderr, "tenantgate: unknown command; try --help\n"), 2);
	else
		status = run_daemon(&conf);
	conf_free(&conf);
	return status;
}
