/* SPDX-License-Identifier: MIT */
/*
 * sandbox_probe: run in the place of pdftotext, it does what the document says, as a parser that a
 * malicious document has taken over would. It prints "got away with it" when it could.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool
try_open_write(void)
{
	return open("/tmp/tenantgate-sandbox-escaped", O_WRONLY | O_CREAT, 0600) >= 0;
}

static bool
try_open_secret(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool
try_fork(void)
{
	return fork() >= 0;
}

static bool
try_exec(void)
{
	char *const args[] = { (char *)"true", NULL };

	execve("/bin/true", args, args + 1);
	return false;
}

static bool
try_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static bool
try_kill(void)
{
	return kill(getppid(), SIGTERM) == 0;
}

static bool
try_memory(void)
{
	return malloc((size_t)1 << 30) != NULL;
}

static bool
try_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0) != MAP_FAILED;
}

static bool
try_limits(void)
{
	const struct rlimit more = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_AS, &more) == 0;
}

static bool
try_change(void)
{
	return ftruncate(STDIN_FILENO, 0) == 0 || write(STDIN_FILENO, "x", 1) == 1;
}

static bool
try_environment(void)
{
	extern char **environ;

	return environ != NULL && environ[0] != NULL;
}

static bool
try_descriptors(void)
{
	for (int fd = 3; fd < 32; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			return true;
	}
	return false;
}

static bool
try_root(void)
{
	return geteuid() == 0;
}

static bool
try_cpu(void)
{
	volatile unsigned long n = 0;

	while (n != 1ul << 62)
		n++;
	return true;
}

struct trick {
	const char *name;
	bool (*run)(void);
};

static const struct trick tricks[] = {
	{ "socket", try_socket },
	{ "open-write", try_open_write },
	{ "open-secret", try_open_secret },
	{ "fork", try_fork },
	{ "exec", try_exec },
	{ "ptrace", try_ptrace },
	{ "kill", try_kill },
	{ "memory", try_memory },
	{ "code", try_code },
	{ "limits", try_limits },
	{ "change", try_change },
	{ "environment", try_environment },
	{ "descriptors", try_descriptors },
	{ "root", try_root },
	{ "cpu", try_cpu },
};

/* What main() is given, then what others see of it: the strings as exec(2) put them, one behind the
 * other (proc(5), /proc/PID/cmdline). */
static void
show_arguments(int argc, char **argv)
{
	const char *seen = argv[0];

	for (int i = 0; i < argc; i++)
		printf("%s ", argv[i]);
	printf("/");
	for (int i = 0; i < argc; i++, seen += strlen(seen) + 1)
		printf(" %s", seen);
	printf("\n");
}

int
main(int argc, char **argv)
{
	char name[32] = "";

	if (read(STDIN_FILENO, name, sizeof(name) - 1) <= 0)
		return 0;
	if (strcmp(name, "arguments") == 0) {
		show_arguments(argc, argv);
		return 0;
	}
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
		if (strcmp(name, tricks[i].name) != 0)
			continue;
		if (tricks[i].run())
			printf("got away with it\n");
		else
			printf("refused\n");
		return 0;
	}
	printf("no such trick\n");
	return 0;
}
