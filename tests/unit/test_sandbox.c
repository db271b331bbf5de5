/* SPDX-License-Identifier: MIT */
/*
 * test_sandbox: the real tenantgate-extract around a program that tries to break out
 * (sandbox_probe.c).
 * TG_BUILD: the build folder; without it, this program's own.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tenantgate/retrieval.h"

static char extractor[4096], breaker[4096];

struct outcome {
	char text[512]; /* stdout and stderr */
	int status;	/* of waitpid() */
};

static void
become_extractor(const int in[2], const int out[2], const char *pdftotext)
{
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	dup2(out[1], STDERR_FILENO);
	close(in[1]);
	execl(extractor, "tenantgate-extract", "--pdftotext", pdftotext, "--cpu", "1",
	    "--memory-max", "268435456", "--input-max", "64", (char *)NULL);
	_exit(99);
}

/* An extractor that ends before it reads leaves a pipe without a reader; that is its right. */
static void
give_document(int fd, const char *document)
{
	ssize_t n = write(fd, document, strlen(document));

	if (n < 0)
		assert_int_equal(errno, EPIPE);
	else
		assert_int_equal(n, strlen(document));
	close(fd);
}

static struct outcome
run_extractor(const char *pdftotext, const char *document)
{
	struct outcome o = { 0 };
	int in[2], out[2];
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		become_extractor(in, out, pdftotext);
	close(in[0]);
	close(out[1]);
	give_document(in[1], document);
	while ((n = read(out[0], o.text + used, sizeof(o.text) - 1 - used)) > 0)
		used += (size_t)n;
	close(out[0]);
	assert_int_equal(waitpid(pid, &o.status, 0), pid);
	return o;
}

static void
trick_is_refused(const char *trick)
{
	struct outcome o = run_extractor(breaker, trick);

	if (strcmp(o.text, "refused\n") != 0 || o.status != 0)
		fail_msg("%s: \"%s\", status %#x", trick, o.text, (unsigned)o.status);
}

static void
trick_ends_it(const char *trick, int signal)
{
	struct outcome o = run_extractor(breaker, trick);

	if (o.text[0] != '\0' || !WIFSIGNALED(o.status) || WTERMSIG(o.status) != signal)
		fail_msg("%s: \"%s\", status %#x", trick, o.text, (unsigned)o.status);
}

static void
what_is_forbidden_is_refused(void **state)
{
	static const char *const tricks[] = { "open-write", "memory", "code", "limits",
		"environment", "descriptors", "root" };

	(void)state;
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++)
		trick_is_refused(tricks[i]);
	assert_string_equal(run_extractor(breaker, "juggle").text, "no such trick\n");
}

static void
what_is_worse_ends_the_process(void **state)
{
	static const char *const tricks[] = { "socket", "exec", "ptrace", "kill" };

	(void)state;
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++)
		trick_ends_it(tricks[i], SIGSYS);
	trick_ends_it("cpu", SIGXCPU);
	trick_ends_it("change", SIGXFSZ);
}

/* Which system call fork() makes depends on the C library: one is refused, another kills. */
static void
no_child_is_made(void **state)
{
	struct outcome o = run_extractor(breaker, "fork");

	(void)state;
	assert_null(strstr(o.text, "got away"));
}

/* Where the kernel has Landlock. */
static void
no_file_of_the_system_is_read(void **state)
{
	struct outcome o = run_extractor(breaker, "open-secret");

	(void)state;
	if (strcmp(o.text, "got away with it\n") == 0)
		print_message("this kernel has no Landlock: files of the system can be read\n");
	else
		assert_string_equal(o.text, "refused\n");
}

/* The parser gets the password, and no other user can read it. */
static void
a_password_is_no_argument(void **state)
{
	struct outcome o;

	(void)state;
	setenv(EXTRACT_PASSWORD_ENV, "marmalade", 1);
	o = run_extractor(breaker, "arguments");
	unsetenv(EXTRACT_PASSWORD_ENV);
	assert_string_equal(o.text,
	    "pdftotext -enc UTF-8 -eol unix -upw marmalade -opw marmalade - - / "
	    "pdftotext -enc UTF-8 -eol unix -upw (password) -opw (password) - -\n");
}

static void
extractor_exits(const char *pdftotext, const char *document, enum extract_exit code)
{
	struct outcome o = run_extractor(pdftotext, document);

	assert_true(WIFEXITED(o.status));
	assert_int_equal(WEXITSTATUS(o.status), code);
	assert_true(strncmp(o.text, "tenantgate-extract: ", 20) == 0);
}

static void
its_own_failures_have_their_exits(void **state)
{
	char large[100];

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	extractor_exits("/nonexistent/pdftotext", "x", EXTRACT_EXIT_NO_PROGRAM);
	extractor_exits("/etc/passwd", "x", EXTRACT_EXIT_NO_PROGRAM);
	extractor_exits(breaker, large, EXTRACT_EXIT_LARGE);
}

static void
find_programs(const char *self)
{
	const char *build = getenv("TG_BUILD");
	const char *slash = strrchr(self, '/');
	int n = slash == NULL ? 1 : (int)(slash - self);

	if (build != NULL)
		snprintf(extractor, sizeof(extractor), "%s/tenantgate-extract", build);
	else
		snprintf(extractor, sizeof(extractor), "%.*s/../../tenantgate-extract", n,
		    slash == NULL ? "." : self);
	snprintf(breaker, sizeof(breaker), "%.*s/sandbox_probe", n, slash == NULL ? "." : self);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_forbidden_is_refused),
		cmocka_unit_test(what_is_worse_ends_the_process),
		cmocka_unit_test(no_child_is_made),
		cmocka_unit_test(no_file_of_the_system_is_read),
		cmocka_unit_test(a_password_is_no_argument),
		cmocka_unit_test(its_own_failures_have_their_exits),
	};

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	find_programs(argv[0]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
