/* SPDX-License-Identifier: MIT */
/*
 * limits: as which user the parser runs, how much it may use, and which files it may see.
 */
#define _GNU_SOURCE /* setresuid */
#include "extract/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534 /* the kernel's overflow user: owns nothing */

/* A user without rights, and no way back (no saved id, no set-user-id program); killed when the
 * server dies. A change of user clears the death signal (prctl(2)), so that is set after it. */
bool
sandbox_drop_user(void)
{
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) != 0)) {
		warn_errno("drop root");
		return false;
	}
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		warn_errno("prctl");
		return false;
	}
	if (chdir("/") != 0) {
		warn_errno("/");
		return false;
	}
	return true;
}

/* Soft and hard: it cannot be raised again. */
static bool
set_limit(int what, rlim_t value)
{
	const struct rlimit r = { value, value };

	if (setrlimit(what, &r) == 0)
		return true;
	warn_errno("setrlimit");
	return false;
}

/* When the machine is short of memory the kernel ends the parser first, and when it is short of CPU
 * the server's workers come first. Best effort: containers may refuse either. */
void
sandbox_prefer_oom_kill(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1000", 4) != 4)
			warn_errno("oom_score_adj");
		close(fd);
	}
	if (setpriority(PRIO_PROCESS, 0, 10) != 0)
		warn_errno("setpriority");
}

/* A soft CPU limit a second below the hard one: SIGXCPU says why it died, SIGKILL would not. */
static bool
limit_cpu(unsigned seconds)
{
	const struct rlimit r = { seconds, (rlim_t)seconds + 1 };

	if (setrlimit(RLIMIT_CPU, &r) == 0)
		return true;
	warn_errno("setrlimit");
	return false;
}

/* No core file, no file that grows, no new process, few descriptors. NPROC is counted for the user:
 * it holds for nobody, not for root. */
bool
sandbox_set_limits(const struct sandbox_limits *l)
{
	return limit_cpu(l->cpu_s) && set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_FSIZE, 0) &&
	    set_limit(RLIMIT_NPROC, 0) && set_limit(RLIMIT_NOFILE, 32) &&
	    set_limit(RLIMIT_MEMLOCK, 0) && set_limit(RLIMIT_MSGQUEUE, 0) &&
	    set_limit(RLIMIT_AS, l->memory_max);
}

/* ---- Landlock: a parser that was taken over cannot read the server's files either ---- */

#define READ	   (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define EXECUTE	   LANDLOCK_ACCESS_FS_EXECUTE
#define EVERYTHING ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* of the first version's rights */

struct path_rights {
	const char *path;     /* a file, or a folder with all below it */
	unsigned long rights; /* LANDLOCK_ACCESS_FS_* */
};

/* What a program of the system needs to start and to find its fonts and encodings. Absent ones are
 * skipped. */
static const struct path_rights visible_paths[] = {
	{ "/usr/lib", READ | EXECUTE },
	{ "/usr/lib32", READ | EXECUTE },
	{ "/usr/lib64", READ | EXECUTE },
	{ "/lib", READ | EXECUTE },
	{ "/lib64", READ | EXECUTE },
	{ "/usr/local/lib", READ | EXECUTE },
	{ "/usr/share", READ },
	{ "/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE },
	{ "/etc/fonts", READ },
};

/* Landlock takes a rule's path as a descriptor. */
static bool
landlock_allow_fd(int rules, int fd, unsigned long rights)
{
	const struct landlock_path_beneath_attr a = { .allowed_access = rights, .parent_fd = fd };

	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0) == 0;
}

static bool
landlock_allow_path(int rules, const struct path_rights *v)
{
	int fd = open(v->path, O_PATH | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES;
	ok = landlock_allow_fd(rules, fd, v->rights);
	close(fd);
	return ok;
}

/* From landlock_restrict_self() on: what no rule allows cannot be opened, listed, changed or run;
 * Landlock does not cover stat(2). */
static bool
landlock_restrict(int rules, int program, const char *library)
{
	const struct path_rights extra = { library, LANDLOCK_ACCESS_FS_READ_FILE };

	if (library != NULL && !landlock_allow_path(rules, &extra))
		return false;
	for (size_t i = 0; i < sizeof(visible_paths) / sizeof(visible_paths[0]); i++) {
		if (!landlock_allow_path(rules, &visible_paths[i]))
			return false;
	}
	return landlock_allow_fd(rules, program, EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE) &&
	    syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}

/* Kernels before 5.13 and those built without it have no Landlock: there the filter of system calls
 * (no file opened for writing, no socket) and the user's rights must do. EPERM is a container's own
 * filter, which knows no Landlock. */
bool
sandbox_hide_files(int program, const char *library)
{
	const struct landlock_ruleset_attr a = { .handled_access_fs = EVERYTHING };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);
	bool ok;

	if (rules < 0 && (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM))
		return true;
	ok = rules >= 0 && landlock_restrict(rules, program, library);
	if (!ok)
		warn_errno("landlock");
	close(rules);
	return ok;
}
