/* SPDX-License-Identifier: MIT */
/*
 * limits: who the cage's inmate is, how much it may use, and which files it may see.
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

#define NOBODY 65534

/* A user without a right to anything, and no way back; and an end when the daemon ends. */
bool
sandbox_drop_user(void)
{
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) != 0)) {
		complain("drop root");
		return false;
	}
	if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		complain("prctl");
		return false;
	}
	if (chdir("/") != 0) {
		complain("/");
		return false;
	}
	return true;
}

static bool
limit(int what, rlim_t value)
{
	const struct rlimit r = { value, value };

	if (setrlimit(what, &r) == 0)
		return true;
	complain("setrlimit");
	return false;
}

/* When the machine is short of something, it is short for the parser first. Best effort. */
void
sandbox_prefer_oom_kill(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1000", 4) != 4)
			complain("oom_score_adj");
		close(fd);
	}
	if (setpriority(PRIO_PROCESS, 0, 10) != 0)
		complain("setpriority");
}

/* A soft CPU limit a second below the hard one: SIGXCPU says why it died, SIGKILL would not. */
static bool
limit_cpu(unsigned seconds)
{
	const struct rlimit r = { seconds, (rlim_t)seconds + 1 };

	if (setrlimit(RLIMIT_CPU, &r) == 0)
		return true;
	complain("setrlimit");
	return false;
}

bool
sandbox_set_limits(const struct sandbox_limits *l)
{
	return limit_cpu(l->cpu_s) && limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) &&
	    limit(RLIMIT_NPROC, 0) && limit(RLIMIT_NOFILE, 32) && limit(RLIMIT_MEMLOCK, 0) &&
	    limit(RLIMIT_MSGQUEUE, 0) && limit(RLIMIT_AS, l->memory_max);
}

/* ---- Landlock: a parser that was taken over shall not read the daemon's secrets either ---- */

#define READ	   (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define EXECUTE	   LANDLOCK_ACCESS_FS_EXECUTE
#define EVERYTHING ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* of the first version's rights */

struct view {
	const char *path;
	unsigned long rights;
};

/* What a program of the system needs to start and to know its fonts. Absent ones are skipped. */
static const struct view views[] = {
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

static bool
view_add(int rules, int fd, unsigned long rights)
{
	const struct landlock_path_beneath_attr a = { .allowed_access = rights, .parent_fd = fd };

	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0) == 0;
}

static bool
view_open(int rules, const struct view *v)
{
	int fd = open(v->path, O_PATH | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return errno == ENOENT || errno == EACCES;
	ok = view_add(rules, fd, v->rights);
	close(fd);
	return ok;
}

static bool
hide(int rules, int program)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		if (!view_open(rules, &views[i]))
			return false;
	}
	return view_add(rules, program, EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE) &&
	    syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}

/* Kernels before 5.13 and those built without it have no Landlock: there the filter of calls (no
 * file opened for writing, no socket) and the user's rights must do. */
bool
sandbox_hide_files(int program)
{
	const struct landlock_ruleset_attr a = { .handled_access_fs = EVERYTHING };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);
	bool ok;

	if (rules < 0 && (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM))
		return true;
	ok = rules >= 0 && hide(rules, program);
	if (!ok)
		complain("landlock");
	close(rules);
	return ok;
}
