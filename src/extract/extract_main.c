/* SPDX-License-Identifier: MIT */
/*
 * tenantgate-extract: a PDF on stdin, its text on stdout, a form feed behind each page; with
 * --pictures a list of its first pages' pictures instead. It builds a sandbox around itself and
 * becomes poppler's pdftotext (pdfimages) in it; it parses nothing of its own.
 *
 *	stdin --> file in memory, sealed --> no other descriptor --> nobody --> limits
 *	      --> no files but the system's --> no calls but a reader's --> pdftotext
 *
 * Every part of the sandbox is in place before the parser starts, or the parser does not start: see
 * enum extract_exit for what is at fault then. stdout and stderr must be pipes or sockets, for
 * inside no file can grow (RLIMIT_FSIZE).
 *
 * A PDF's password comes in the environment (EXTRACT_PASSWORD_ENV), which other users cannot see,
 * and not in the arguments, which they can. pdftotext takes it from its arguments alone: there a
 * mark stands for it, which document_password.c, loaded into pdftotext, replaces in its memory.
 *
 * Its own program and not a fork of the server: it inherits none of the server's memory, so no key
 * and no password is there to be read.
 */
#define _GNU_SOURCE /* O_PATH, dup3, close_range */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "extract/sandbox.h"
#include "tenantgate/retrieval.h"

#define PROGRAM_FD 3 /* pdftotext, opened before files are hidden; close-on-exec */
#define PRELOAD "LD_PRELOAD="
#define PICTURE_PAGES "50" /* looked at for pictures: whether there are any shows in the first */

struct extract_options {
	const char *pdftotext;
	const char *pdfimages;
	bool pictures;
	size_t input_max;
	unsigned long pages_max; /* 0: all */
	struct sandbox_limits limits;
};

/* What execveat() is given. On pages of its own: the filter allows the exec by these addresses. The
 * exec itself unmaps them, and address randomization keeps the program that follows from finding
 * them: it cannot exec again. */
struct launch {
	char empty[8];
	char last_page[24];
	char preload[4096];
	char *argv[14];
	char *envp[3];
};

static const char usage[] =
    "usage: tenantgate-extract [options] < FILE.pdf | cat\n"
    "  --input-max BYTES    of the document (default 64 MiB)\n"
    "  --memory-max BYTES   of address space (default 512 MiB)\n"
    "  --cpu SECONDS        of CPU time (default 30)\n"
    "  --pages-max N        go no further than page N (default: all)\n"
    "  --pdftotext PATH     poppler's program (default /usr/bin/pdftotext)\n"
    "  --pictures           list its first pages' pictures, not its text\n"
    "  --pdfimages PATH     poppler's program for that (default /usr/bin/pdfimages)\n"
    "A password is taken from " EXTRACT_PASSWORD_ENV ".\n";

static const struct option long_options[] = {
	{ "input-max", required_argument, NULL, 'i' },
	{ "memory-max", required_argument, NULL, 'm' },
	{ "cpu", required_argument, NULL, 'c' },
	{ "pages-max", required_argument, NULL, 'p' },
	{ "pdftotext", required_argument, NULL, 't' },
	{ "pictures", no_argument, NULL, 'l' },
	{ "pdfimages", required_argument, NULL, 'g' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Positive and in decimal, else the program ends: strtoul() alone takes "-1" and "". */
static unsigned long
number_of(const char *text)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || n == 0) {
		fprintf(stderr, "tenantgate-extract: %s must be a positive number.\n%s", text,
		    usage);
		exit(EXTRACT_EXIT_USAGE);
	}
	return n;
}

static void
read_options(int argc, char **argv, struct extract_options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == 'i')
			o->input_max = number_of(optarg);
		else if (c == 'm')
			o->limits.memory_max = number_of(optarg);
		else if (c == 'c')
			o->limits.cpu_s = (unsigned)number_of(optarg);
		else if (c == 'p')
			o->pages_max = number_of(optarg);
		else if (c == 't')
			o->pdftotext = optarg;
		else if (c == 'g')
			o->pdfimages = optarg;
		else if (c == 'l')
			o->pictures = true;
		else {
			fputs(usage, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : EXTRACT_EXIT_USAGE);
		}
	}
}

/* LD_PRELOAD=, and the library beside this program. False with errno set. */
static bool
preload_path(char *out, size_t size)
{
	char path[4000];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n < 0)
		return false;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL) {
		errno = ENOENT;
		return false;
	}
	*slash = '\0';
	snprintf(out, size, "%s%s/tenantgate-password.so", PRELOAD, path);
	return true;
}

/* The mark's two places: a password may be the user's or the owner's. */
static unsigned
launch_password(struct launch *l, unsigned n)
{
	l->argv[n++] = (char *)"-upw";
	l->argv[n++] = (char *)EXTRACT_PASSWORD_MARK;
	l->argv[n++] = (char *)"-opw";
	l->argv[n++] = (char *)EXTRACT_PASSWORD_MARK;
	l->envp[0] = l->preload;
	/* The string that getenv() points into, from its name on. */
	l->envp[1] = getenv(EXTRACT_PASSWORD_ENV) - sizeof(EXTRACT_PASSWORD_ENV);
	return n;
}

/* pdftotext's arguments: UTF-8, LF, from stdin to stdout. */
static unsigned
launch_text(struct launch *l, const struct extract_options *o)
{
	unsigned n = 0;

	l->argv[n++] = (char *)"pdftotext";
	l->argv[n++] = (char *)"-enc";
	l->argv[n++] = (char *)"UTF-8";
	l->argv[n++] = (char *)"-eol";
	l->argv[n++] = (char *)"unix";
	if (o->pages_max > 0) {
		snprintf(l->last_page, sizeof(l->last_page), "%lu", o->pages_max);
		l->argv[n++] = (char *)"-l";
		l->argv[n++] = l->last_page;
	}
	return n;
}

static unsigned
launch_pictures(struct launch *l)
{
	unsigned n = 0;

	l->argv[n++] = (char *)"pdfimages";
	l->argv[n++] = (char *)"-list";
	l->argv[n++] = (char *)"-l";
	l->argv[n++] = (char *)PICTURE_PAGES;
	return n;
}

/* NULL with errno set. */
static struct launch *
launch_fill(const struct extract_options *o)
{
	struct launch *l;
	unsigned n;

	l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l == MAP_FAILED)
		return NULL;
	n = o->pictures ? launch_pictures(l) : launch_text(l, o);
	if (getenv(EXTRACT_PASSWORD_ENV) != NULL) {
		if (!preload_path(l->preload, sizeof(l->preload)))
			return NULL;
		n = launch_password(l, n);
	}
	l->argv[n++] = (char *)"-";
	if (!o->pictures)
		l->argv[n] = (char *)"-";
	return l;
}

static void
exit_unless(bool done, enum extract_exit code)
{
	if (!done)
		exit(code);
}

/* The program on PROGRAM_FD. By descriptor, since the path cannot be opened once files are
 * hidden. */
static bool
open_program(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0 || (fd != PROGRAM_FD && dup3(fd, PROGRAM_FD, O_CLOEXEC) < 0)) {
		warn_errno(path);
		return false;
	}
	return true;
}

/* Nothing but stdin, stdout, stderr and the program stays open, whatever was inherited. */
static bool
close_others(void)
{
	if (close_range(PROGRAM_FD + 1, ~0u, 0) == 0)
		return true;
	warn_errno("close_range");
	return false;
}

static void
read_document(size_t max)
{
	enum intake got = intake_read(max);

	exit_unless(got != INTAKE_LARGE, EXTRACT_EXIT_LARGE);
	exit_unless(got == INTAKE_OK, EXTRACT_EXIT_INPUT);
}

/* What is loaded into the program; NULL for none. */
static const char *
library_of(const struct launch *l)
{
	return l->preload[0] == '\0' ? NULL : l->preload + strlen(PRELOAD);
}

/* The filter comes last: it forbids the system calls that the others need. */
static void
sandbox_enter(const struct extract_options *o, const struct launch *l)
{
	const struct sandbox_exec exec = { PROGRAM_FD, l->empty, l->argv, l->envp };

	exit_unless(close_others(), EXTRACT_EXIT_SANDBOX);
	exit_unless(sandbox_drop_user(), EXTRACT_EXIT_SANDBOX);
	exit_unless(sandbox_set_limits(&o->limits), EXTRACT_EXIT_SANDBOX);
	exit_unless(sandbox_hide_files(PROGRAM_FD, library_of(l)), EXTRACT_EXIT_SANDBOX);
	exit_unless(sandbox_filter_calls(&exec), EXTRACT_EXIT_SANDBOX);
}

int
main(int argc, char **argv)
{
	struct extract_options o = {
		.pdftotext = "/usr/bin/pdftotext",
		.pdfimages = "/usr/bin/pdfimages",
		.input_max = (size_t)64 << 20,
		.limits = { .memory_max = (size_t)512 << 20, .cpu_s = 30 },
	};
	const char *program;
	struct launch *l;

	read_options(argc, argv, &o);
	program = o.pictures ? o.pdfimages : o.pdftotext;
	sandbox_prefer_oom_kill();
	/* Not dumpable, until the exec: no process of this user may trace this one. */
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || (l = launch_fill(&o)) == NULL) {
		warn_errno("start");
		return EXTRACT_EXIT_SANDBOX;
	}
	exit_unless(open_program(program), EXTRACT_EXIT_NO_PROGRAM);
	read_document(o.input_max);
	sandbox_enter(&o, l);
	syscall(SYS_execveat, PROGRAM_FD, l->empty, l->argv, l->envp, AT_EMPTY_PATH);
	warn_errno(program);
	return EXTRACT_EXIT_NO_PROGRAM;
}
