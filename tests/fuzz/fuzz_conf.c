/* SPDX-License-Identifier: MIT */
/*
 * fuzz_conf: configuration files, in a folder of their own, which has nothing else that one could
 * include. What is read is whole; what is refused says where and why, in whole lines. Comparisons
 * are not traced: keys are looked for in long tables, and the tracing took half of the time.
 *
 * sources: src/admin/admin_host.c src/base/address.c src/base/alloc.c src/base/arena.c
 * sources: src/base/b64.c src/base/buf.c src/base/clock.c src/base/digest.c src/base/err.c
 * sources: src/base/json_put.c src/base/log.c src/base/log_pace.c src/base/log_repeat.c
 * sources: src/base/map.c src/base/mdoc.c src/base/random.c src/base/seal.c src/base/secret.c
 * sources: src/base/siphash.c src/base/utf8.c src/loop/flow.c src/loop/flow_stat.c
 * sources: src/loop/flow_walk.c src/loop/mailbox.c src/loop/timer.c src/loop/turn_clock.c
 * sources: src/loop/worker.c src/plan/plan.c src/wire/dns.c src/wire/dns_hosts.c
 * sources: src/wire/redis_url.c src/wire/url.c tests/unit/fake_conf_init.c
 * sources: tests/unit/fake_extract_conf.c src/conf.c src/conf_conceal.c src/conf_contradictions.c
 * sources: src/conf_error.c src/conf_expand.c src/conf_file.c src/conf_guess.c src/conf_keys.c
 * sources: src/conf_manual.c src/conf_model.c src/conf_plan.c src/conf_print.c
 * sources: src/conf_browser_keys.c src/conf_issuer.c src/conf_issuer_keys.c
 * sources: src/conf_tls_keys.c src/conf_token_keys.c src/conf_input.c
 * sources: src/conf_process_keys.c src/conf_restart.c src/conf_section.c src/conf_settings.c
 * sources: src/conf_string.c src/conf_value.c src/conf_words.c
 * packages: libpq libcurl jansson hiredis libevent libevent_pthreads openssl
 * libs: -lm
 * flags: -fno-sanitize-coverage=trace-cmp
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "conf_internal.h"
#include "tests/fuzz/fuzz_check.h"

#define ERRORS_MAX (64u << 10)

static char conf_folder[64];

static void
remove_conf_folder(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/c", conf_folder);
	unlink(path);
	rmdir(conf_folder);
}

/* In memory where that may be, and cut only at the end: ext4 writes a file that was emptied to the
 * disk when it is closed, which took most of the time. */
static void
make_conf_folder(void)
{
	snprintf(conf_folder, sizeof(conf_folder), "/dev/shm/tg-fuzz-conf-XXXXXX");
	if (mkdtemp(conf_folder) == NULL) {
		snprintf(conf_folder, sizeof(conf_folder), "/tmp/tg-fuzz-conf-XXXXXX");
		if (mkdtemp(conf_folder) == NULL)
			abort();
	}
	(void)atexit(remove_conf_folder);
}

static void
write_file(const char *path, const uint8_t *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || ftruncate(fd, (off_t)n) != 0)
		abort();
	close(fd);
}

/* Each line begins with a file's place. */
static void
check_errors(const struct buf *errors)
{
	struct slice rest = buf_view(errors);

	while (rest.len > 0) {
		const char *end = memchr(rest.p, '\n', rest.len);

		fuzz_check(end != NULL || errors->failed);
		if (end == NULL)
			return;
		fuzz_check(memchr(rest.p, ':', (size_t)(end - rest.p)) != NULL);
		rest = slice_of(end + 1, rest.len - (size_t)(end - rest.p) - 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct conf conf = { 0 };
	struct buf errors;
	char path[80];
	bool ok;

	if (conf_folder[0] == '\0')
		make_conf_folder();
	snprintf(path, sizeof(path), "%s/c", conf_folder);
	write_file(path, bytes, n);
	buf_init(&errors, ERRORS_MAX);
	ok = conf_load(&conf, path, &errors);
	fuzz_check(ok || errors.len > 0);
	if (ok)
		fuzz_check(conf.catalog.url != NULL && conf.catalog.url[0] != '\0');
	check_errors(&errors);
	buf_free(&errors);
	conf_free(&conf);
	return 0;
}
