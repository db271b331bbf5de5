/* SPDX-License-Identifier: MIT */
/*
 * unit_filter: a program under the filters of system calls that systemd makes of a unit (systemd's
 * manual, systemd.exec): SystemCallFilter, SystemCallErrorNumber=EPERM, SystemCallArchitectures,
 * RestrictAddressFamilies and MemoryDenyWriteExecute. Not a test: unit.test.mjs uses it.
 *
 *	unit_filter NUMBER,NUMBER... PROGRAM [ARGUMENT...]
 *
 * The numbers are of the calls that are allowed. It cannot do more than it was allowed to before
 * (no_new_privs), and nor can what it becomes.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "Which AUDIT_ARCH_ is this machine's? Add it here."
#endif

#define FILTER_MAX   2048 /* instructions; the kernel takes 4096 */
#define DENY(number) (SECCOMP_RET_ERRNO | (number))

static struct sock_filter filter[FILTER_MAX];
static unsigned short filter_len;

static void
emit(unsigned short code, unsigned k, unsigned char is_so, unsigned char is_not)
{
	if (filter_len == FILTER_MAX) {
		fprintf(stderr, "unit_filter: Too many calls; raise FILTER_MAX.\n");
		exit(2);
	}
	filter[filter_len++] = (struct sock_filter){ code, is_so, is_not, k };
}

static void
emit_load(unsigned offset)
{
	emit(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void
emit_return(unsigned verdict)
{
	emit(BPF_RET | BPF_K, verdict, 0, 0);
}

/* The lower half of an argument. */
static unsigned
argument(unsigned n)
{
	return (unsigned)(offsetof(struct seccomp_data, args) + n * sizeof(__u64));
}

/* Refuses `number` when an argument has all of these bits, and goes on with the number loaded. */
static void
emit_without_bits(unsigned number, unsigned arg, unsigned bits)
{
	emit(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 5);
	emit_load(argument(arg));
	emit(BPF_ALU | BPF_AND | BPF_K, bits, 0, 0);
	emit(BPF_JMP | BPF_JEQ | BPF_K, bits, 0, 1);
	emit_return(DENY(EPERM));
	emit_load(offsetof(struct seccomp_data, nr));
}

static void
emit_families(void)
{
	emit(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 6);
	emit_load(argument(0));
	emit(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 3, 0);
	emit(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
	emit(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
	emit_return(DENY(EAFNOSUPPORT));
	emit_load(offsetof(struct seccomp_data, nr));
}

static void
emit_allowed(char *numbers)
{
	char *rest = NULL, *word;

	for (word = strtok_r(numbers, ",", &rest); word != NULL;
	     word = strtok_r(NULL, ",", &rest)) {
		emit(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)strtoul(word, NULL, 10), 0, 1);
		emit_return(SECCOMP_RET_ALLOW);
	}
	emit_return(DENY(EPERM));
}

int
main(int argc, char **argv)
{
	struct sock_fprog program = { 0, filter };

	if (argc < 3) {
		fprintf(stderr, "usage: unit_filter NUMBER,NUMBER... PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	emit_load(offsetof(struct seccomp_data, arch));
	emit(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	emit_return(DENY(EPERM));
	emit_load(offsetof(struct seccomp_data, nr));
	emit_families();
	emit_without_bits(__NR_mmap, 2, PROT_WRITE | PROT_EXEC);
	emit_without_bits(__NR_mprotect, 2, PROT_EXEC);
	emit_without_bits(__NR_pkey_mprotect, 2, PROT_EXEC);
	emit_allowed(argv[1]);
	program.len = filter_len;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		perror("unit_filter: The filter could not be set");
		return 2;
	}
	execv(argv[2], argv + 2);
	perror(argv[2]);
	return 2;
}
