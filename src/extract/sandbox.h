/* SPDX-License-Identifier: MIT */
/*
 * cage: what tenantgate-extract takes away from itself before a stranger's bytes are parsed.
 * Every function prints its reason to stderr and answers false when it could not do its part; then
 * nothing may be parsed.
 */
#ifndef TENANTGATE_EXTRACT_SANDBOX_H
#define TENANTGATE_EXTRACT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox_limits {
	size_t		memory_max;	/* bytes of address space */
	unsigned	cpu_s;
};

/* The one exec that will still be let through: its arguments, by address. */
struct sandbox_exec {
	int		 fd;		/* of the program, O_PATH, close-on-exec */
	const char	*empty;		/* the empty path of execveat(); in memory of our own */
	char *const	*argv;
	char *const	*envp;
};

void	sandbox_prefer_oom_kill(void);		/* while this is still our own process's to say */
bool	sandbox_drop_user(void);		/* root becomes nobody; others stay who they are */
bool	sandbox_set_limits(const struct sandbox_limits *);
bool	sandbox_hide_files(int program);	/* Landlock, where the kernel has it */
bool	sandbox_filter_calls(const struct sandbox_exec *);

/* intake: the document, whole, as a sealed file in memory on descriptor 0. */
enum intake {
	INTAKE_OK,
	INTAKE_FAILED,
	INTAKE_LARGE,
};
enum intake	intake_read(size_t max);

/* "tenantgate-extract: what: errno's text" */
void	complain(const char *what);

#endif
