/* SPDX-License-Identifier: MIT */
/*
 * sandbox: what tenantgate-extract takes away from itself before a document is parsed. The parser
 * is assumed to be taken over by the document: then it must reach no secret, no other process and
 * no network, and use no more than its share.
 *
 * Every function prints its reason to stderr and returns false when it could not do its part; then
 * nothing may be parsed. What is taken away does not come back, and execveat() keeps it. One
 * thread.
 */
#ifndef TENANTGATE_EXTRACT_SANDBOX_H
#define TENANTGATE_EXTRACT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Per process, enforced by the kernel (setrlimit(2)). */
struct sandbox_limits {
	size_t		memory_max;	/* bytes of address space */
	unsigned	cpu_s;		/* seconds of CPU time */
};

/* The one exec that the filter allows: its arguments, by address, for a filter cannot read memory.
 * All borrowed, and not to move before the exec. */
struct sandbox_exec {
	int		 fd;		/* of the program, O_PATH, close-on-exec */
	const char	*empty;		/* the empty path of execveat() */
	char *const	*argv;
	char *const	*envp;
};

/* In this order: the later ones forbid what the earlier ones need. */
void	sandbox_prefer_oom_kill(void);		/* while /proc can still be written; best effort */
bool	sandbox_drop_user(void);		/* root becomes nobody; others stay who they are */
bool	sandbox_set_limits(const struct sandbox_limits *);
/* Landlock, where the kernel has it. `library` is a file that the program may read; NULL: none. */
bool	sandbox_hide_files(int program, const char *library);
bool	sandbox_filter_calls(const struct sandbox_exec *);	/* seccomp */

/* Replaces descriptor 0 by the whole document as a sealed file in memory, at its start. */
enum intake {
	INTAKE_OK,
	INTAKE_FAILED,
	INTAKE_LARGE,		/* past `max` bytes */
};
enum intake	intake_read(size_t max);

/* "tenantgate-extract: what: errno's text" */
void	warn_errno(const char *what);

#endif
