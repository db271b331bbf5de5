/* SPDX-License-Identifier: MIT */
/*
 * filter: the system calls that a program needs to read what it has open and write what it found,
 * by libseccomp. Everything else is refused (EPERM), so that a harmless call of some C library's
 * does not fail the document; what only an attacker calls ends the process (SIGSYS), so that it is
 * noticed and logged (extract.sandboxed).
 *
 * A filter sees the number and the arguments of a call, never the memory they point to.
 */
#define _GNU_SOURCE /* O_PATH and friends */
#include "extract/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Whatever their arguments. Names of other architectures and kernels are here too: see
 * add_calls(). */
static const char *const allowed_calls[] = {
	/* memory (mmap, mprotect: below) */
	"brk", "munmap", "mremap", "madvise", "arch_prctl",
	/* files already open, and questions about any: names and sizes are no secret here */
	"read", "readv", "pread64", "preadv", "lseek", "_llseek", "close", "write", "writev",
	"fstat", "fstat64", "stat", "stat64", "lstat", "lstat64", "newfstatat", "fstatat64",
	"statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64",
	"getcwd", "fadvise64",
	/* about this process */
	"exit", "exit_group", "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "uname",
	"sysinfo", "getrlimit", "ugetrlimit", "getrusage", "sched_getaffinity", "sched_yield",
	"set_tid_address", "set_robust_list", "rseq", "futex", "futex_time64", "getrandom",
	/* signals to itself, time */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack",
	"restart_syscall", "clock_gettime", "clock_gettime64", "clock_getres", "gettimeofday",
	"time", "nanosleep", "clock_nanosleep"
};

/* Network, other processes, namespaces, kernel interfaces, other users: no reader has use for
 * them. */
static const char *const fatal_calls[] = { "socket", "socketpair", "connect", "bind", "listen",
	"accept", "accept4", "sendto", "sendmsg", "sendmmsg", "ptrace", "process_vm_readv",
	"process_vm_writev", "process_madvise", "pidfd_open", "pidfd_getfd", "fork", "vfork",
	"execve", "unshare", "setns", "mount", "umount2", "move_mount", "open_tree", "fsopen",
	"pivot_root", "chroot", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl",
	"add_key", "request_key", "kexec_load", "init_module", "finit_module", "open_by_handle_at",
	"memfd_create", "kill", "setuid", "setgid", "setresuid", "setresgid", "capset", "shmget",
	"msgget" };

/* A name that this libseccomp does not know is skipped: an allowed one stays refused (EPERM), and
 * so does a fatal one. */
static bool
add_calls(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);

		if (nr == __NR_SCMP_ERROR)
			continue;
		if (seccomp_rule_add(ctx, action, nr, 0) != 0)
			return false;
	}
	return true;
}

/* Allows a call where one argument compares. */
static bool
allow_if(scmp_filter_ctx ctx, int nr, struct scmp_arg_cmp a)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, a) == 0;
}

/* open()'s flags that make it more than reading. */
#define WRITE_FLAGS (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)

/* Files are opened to be read; of fcntl() what C libraries use on such files. */
static bool
add_open(scmp_filter_ctx ctx)
{
	return allow_if(ctx, SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, WRITE_FLAGS, O_RDONLY)) &&
	    allow_if(ctx, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, WRITE_FLAGS, O_RDONLY)) &&
	    allow_if(ctx, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFD)) &&
	    allow_if(ctx, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_SETFD)) &&
	    allow_if(ctx, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL)) &&
	    allow_if(ctx, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
}

/* Memory is for writing or for running, never both, and none becomes code later (mprotect() without
 * PROT_EXEC only): what a document brings cannot be run as code. */
static bool
add_memory(scmp_filter_ctx ctx)
{
	static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2) };
	const uint64_t both = PROT_WRITE | PROT_EXEC;

	for (size_t i = 0; i < 2; i++) {
		if (!allow_if(ctx, calls[i], SCMP_A2(SCMP_CMP_MASKED_EQ, both, 0)) ||
		    !allow_if(ctx, calls[i], SCMP_A2(SCMP_CMP_MASKED_EQ, both, PROT_WRITE)) ||
		    !allow_if(ctx, calls[i], SCMP_A2(SCMP_CMP_MASKED_EQ, both, PROT_EXEC)))
			return false;
	}
	return allow_if(ctx, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* Limits may be read (new limit NULL); abort() may signal this process; clone3() does not seem to
 * exist (ENOSYS), for C libraries then fall back to clone(), which is refused. */
static bool
add_process(scmp_filter_ctx ctx)
{
	const scmp_datum_t self = (scmp_datum_t)getpid();

	return allow_if(ctx, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0)) &&
	    allow_if(ctx, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, self)) &&
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

/* The one exec, into pdftotext: by the addresses of its arguments, which no later caller knows. */
static bool
add_exec(scmp_filter_ctx ctx, const struct sandbox_exec *e)
{
	const struct scmp_arg_cmp args[] = {
		SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)e->fd),
		SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)(uintptr_t)e->empty),
		SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)(uintptr_t)e->argv),
		SCMP_A3(SCMP_CMP_EQ, (scmp_datum_t)(uintptr_t)e->envp),
		SCMP_A4(SCMP_CMP_EQ, AT_EMPTY_PATH),
	};

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(execveat), 5, args) == 0;
}

/* From seccomp_load() on. It needs no_new_privs, which sandbox_drop_user() has set (libseccomp
 * would set it too). */
bool
sandbox_filter_calls(const struct sandbox_exec *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok;

	ok = ctx != NULL &&
	    add_calls(ctx, SCMP_ACT_ALLOW, allowed_calls,
		sizeof(allowed_calls) / sizeof(allowed_calls[0])) &&
	    add_calls(ctx, SCMP_ACT_KILL_PROCESS, fatal_calls,
		sizeof(fatal_calls) / sizeof(fatal_calls[0])) &&
	    add_open(ctx) && add_memory(ctx) && add_process(ctx) && add_exec(ctx, e) &&
	    seccomp_load(ctx) == 0;
	if (!ok)
		fputs("tenantgate-extract: the system call filter could not be loaded; the kernel "
		      "needs CONFIG_SECCOMP_FILTER\n",
		    stderr);
	seccomp_release(ctx);
	return ok;
}
