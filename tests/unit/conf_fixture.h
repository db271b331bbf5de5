/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the configuration share: a folder of its own, a file in it, and its loading.
 */
#ifndef CONF_FIXTURE_H
#define CONF_FIXTURE_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf_internal.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define MUSTS "catalog_url = postgresql://u@h/tg\nseal_keys = " HEX64 "\nneon_api_key = nk\n"
#define GOOD  "[tenantgate]\n" MUSTS

static char folder[64];
static char path[128];
static struct conf conf;
static struct buf errors;

static const char *
put_file(const char *name, const char *text, mode_t mode)
{
	static char full[128];
	int fd;

	snprintf(full, sizeof(full), "%s/%s", folder, name);
	unlink(full);
	fd = open(full, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return full;
}

static bool
load_mode(const char *text, mode_t mode)
{
	conf_free(&conf);
	buf_reset(&errors);
	snprintf(path, sizeof(path), "%s", put_file("t.conf", text, mode));
	return conf_load(&conf, path, &errors);
}

static inline bool
load(const char *text)
{
	return load_mode(text, 0600);
}

/* Refused, with exactly this error (its line number and sentence). */
static inline void
refused(const char *text, const char *line_and_sentence)
{
	char want[2048];

	snprintf(want, sizeof(want), "%s:%s\n", path, line_and_sentence);
	assert_false(load(text));
	assert_string_equal(errors.data, want);
}

static inline void
fine(const char *text)
{
	if (!load(text))
		fail_msg("%s", errors.data);
}

static int
set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/tg-conf-XXXXXX");
	buf_init(&errors, 65536);
	return mkdtemp(folder) == NULL;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { "t.conf", "key.txt", "more.conf" };
	char full[128];

	(void)state;
	conf_free(&conf);
	buf_free(&errors);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(full, sizeof(full), "%s/%s", folder, names[i]);
		unlink(full);
	}
	return rmdir(folder);
}

#endif
