/* SPDX-License-Identifier: MIT */
/*
 * preflight: in the order of a start: what root does, then root given up, then what the user that
 * serves must be able to do. A finding stops none that follow.
 */
#define _GNU_SOURCE /* O_PATH, faccessat's AT_EACCESS */
#include "preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_contradictions.h"
#include "listener_tls.h"
#include "privilege.h"
#include "preflight_extractor.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/base/spool.h"
#include "tenantgate/wire/pem.h"
#include "tenantgate/wire/pg_url.h"

#define EXTRACTOR_WAIT_MS 15000 /* once; its own limit is 5 s of CPU */

struct preflight {
	const struct conf *conf;
	const char *path; /* of the file */
	struct buf *errors, *warnings;
	bool was_root;
	int extractor; /* its descriptor, O_PATH; -1: none */
};

/* What begins a line: where the key is set, and its name. False: its value was refused, so that
 * what stands in its place says nothing. */
static bool
begin_line(const struct preflight *c, struct buf *out, const char *key)
{
	const struct admin_setting *s = conf_setting(c->conf, "tenantgate", key);

	if (s == NULL || s->value == NULL)
		return false;
	buf_printf(out, "%s: %s%s", s->place == NULL ? c->path : s->place,
	    out == c->warnings ? "Warning: " : "", key);
	return true;
}

static void __attribute__((format(printf, 4, 5)))
finding_add(const struct preflight *c, struct buf *out, const char *key, const char *fmt, ...)
{
	char sentence[1024];
	va_list ap;

	if (!begin_line(c, out, key))
		return;
	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	for (char *p = sentence; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	buf_printf(out, "%s\n", sentence);
}

/* ---- as who starts ---- */

/* Who is not root stays who they are, whatever `user` says. */
static void
check_user(const struct preflight *c)
{
	const char *user = c->conf->user;
	const struct passwd *pw = *user == '\0' ? NULL : getpwnam(user);
	struct buf *out = c->was_root ? c->errors : c->warnings;

	if (*user == '\0' && c->was_root)
		finding_add(c, c->errors, "user",
		    " must be set: serving as root is refused; or start it as another user.");
	else if (*user != '\0' && pw == NULL)
		finding_add(c, out, "user",
		    " = %s: There is no such user; create it or name another.", user);
	else if (*user != '\0' && pw->pw_uid == 0)
		finding_add(c, out, "user", " = %s: That is root; name another user.", user);
}

/* "." of a name without a folder. */
static void
folder_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int n = slash == NULL ? 1 : (int)(slash - path);

	(void)snprintf(out, PATH_MAX, "%.*s", n == 0 ? 1 : n, slash == NULL ? "." : path);
}

/* Nothing is written: whether the file is there and lets us, else whether its folder does. False
 * with errno. */
static bool
can_write(const char *path)
{
	char folder[PATH_MAX];
	struct stat st;

	if (stat(path, &st) == 0) {
		errno = EISDIR;
		return !S_ISDIR(st.st_mode) && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
	}
	folder_of(path, folder);
	return errno == ENOENT && faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
}

static void
check_output_file(const struct preflight *c, const char *key, const char *path)
{
	if (*path != '\0' && !can_write(path))
		finding_add(c, c->errors, key,
		    " %s cannot be written (%s); make its folder, or name another file.", path,
		    strerror(errno));
}

/* Opened as a start opens it, as root: it may lie where the user cannot look. */
static void
open_extract_program(struct preflight *c)
{
	const char *program = c->conf->api.extract.program;

	c->extractor = open(program, O_PATH | O_CLOEXEC);
	if (c->extractor == -1)
		finding_add(c, c->errors, "extract_program",
		    " %s cannot be opened (%s); install it, or name where it is.", program,
		    strerror(errno));
}

/* ---- as who serves ---- */

/* Reported already when there is no such user. Then the rest is looked at as root. */
static void
become_user(const struct preflight *c)
{
	const struct passwd *pw = *c->conf->user == '\0' ? NULL : getpwnam(c->conf->user);

	if (c->was_root && pw != NULL && pw->pw_uid != 0 && !privilege_drop(c->conf->user))
		finding_add(c, c->errors, "user", " = %s cannot be become.", c->conf->user);
}

/* SIGHUP reopens the log as the user. */
static void
check_reopening(const struct preflight *c)
{
	const char *log = c->conf->log_file;

	if (c->was_root && geteuid() != 0 && *log != '\0' && !can_write(log))
		finding_add(c, c->warnings, "log_file",
		    " %s cannot be written by user = %s (%s): SIGHUP will not reopen it.", log,
		    c->conf->user, strerror(errno));
}

/* A reload reads it as the user. */
static void
check_reloading(const struct preflight *c)
{
	if (c->was_root && geteuid() != 0 && faccessat(AT_FDCWD, c->path, R_OK, AT_EACCESS) != 0)
		finding_add(c, c->warnings, "user",
		    " = %s cannot read %s (%s): a reload will be refused. Give the file to that "
		    "user's group (chmod 640).",
		    c->conf->user, c->path, strerror(errno));
}

static void
check_program(const struct preflight *c)
{
	const char *path = c->conf->api.extract.program;
	char of_descriptor[64];
	struct buf why;

	if (c->extractor == -1)
		return;
	snprintf(of_descriptor, sizeof(of_descriptor), "/proc/self/fd/%d", c->extractor);
	if (c->was_root)
		path = of_descriptor;
	buf_init(&why, 64u << 10);
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
		finding_add(c, c->errors, "extract_program",
		    " %s cannot be run (%s); give its file to the user that serves.",
		    c->conf->api.extract.program, strerror(errno));
	else if (!preflight_extractor(path, EXTRACTOR_WAIT_MS, &why))
		finding_add(c, c->warnings, "extract_program",
		    " %s reads no PDF here (%.*s); install poppler's pdftotext and pdfimages, or "
		    "look at its sandbox.",
		    c->conf->api.extract.program, (int)(why.len > 300 ? 300 : why.len),
		    why.len == 0 ? "" : why.data);
	buf_free(&why);
	close(c->extractor);
}

static void
check_spool(const struct preflight *c)
{
	const char *path = c->conf->api.spool_dir;
	struct err err = { 0 };
	int folder = *path == '\0' ? -1 : spool_folder_open(path, &err);

	if (err_is(&err))
		finding_add(c, c->errors, "spool_dir", " = %s", err.detail);
	if (folder < 0)
		return;
	if (spool_folder_is_memory(folder))
		finding_add(c, c->warnings, "spool_dir",
		    " = %s: Files are in memory there (tmpfs); name a folder on a disk, or lower "
		    "max_spool_size to the memory there is.",
		    path);
	close(folder);
}

static void
check_certificates(const struct preflight *c, const char *key, const char *path)
{
	struct err err = { 0 };

	if (path != NULL && *path != '\0' && !pem_has_certificates(path, &err))
		finding_add(c, c->errors, key, ": %s", err.detail);
}

/* What it names beside the key of its own, which has its place. */
static void
check_url_certificates(const struct preflight *c, const char *key, const char *url)
{
	struct arena *arena = arena_new(64u << 10);
	struct pg_target target = { 0 };
	struct err err = { 0 };

	if (url != NULL && *url != '\0' && pg_url_read(arena, url, PG_URL_STRICT, &target, &err) &&
	    target.sslrootcert != NULL && strcmp(target.sslrootcert, "system") != 0)
		check_certificates(c, key, target.sslrootcert);
	arena_free(arena);
}

static void
check_all_certificates(const struct preflight *c)
{
	const struct conf *conf = c->conf;

	check_certificates(c, "catalog_ca_file", conf->catalog.ca_file);
	check_certificates(c, "redis_ca_file", conf->redis.ca_file);
	check_certificates(c, "tenant_ca_file", conf->tenants.tenant_ca_file);
	check_certificates(c, "ca_file", conf->web.ca_file);
	check_url_certificates(c, "catalog_url", conf->catalog.url);
	check_url_certificates(c, "postgres_admin_url", conf->tenants.postgres_admin_url);
}

/* At the port's line, or the address's where the port has its default. */
static void
finding_add_listener(const struct preflight *c, const char *prefix, const struct err *err)
{
	const struct admin_setting *port;
	char key[64];

	snprintf(key, sizeof(key), "%slisten_port", prefix);
	port = conf_setting(c->conf, "tenantgate", key);
	if (port->place == NULL)
		snprintf(key, sizeof(key), "%slisten_addr", prefix);
	finding_add(c, c->errors, key, ": %s", err->detail);
}

static void
check_listeners(const struct preflight *c)
{
	struct listener listeners[LISTENERS] = { 0 };

	listeners_open(listeners, c->conf);
	for (unsigned i = 0; i < LISTENERS; i++) {
		const struct http_conf *http = &listeners[i].http;
		struct err err = { 0 };

		if (listeners[i].is_open && !http_can_listen(http, &err))
			finding_add_listener(c, http->prefix == NULL ? "" : http->prefix, &err);
	}
	listeners_close(listeners);
}

/* As a start and a reload read them; a reload keeps what it has read. */
static void
check_tls(const struct preflight *c)
{
	struct listener_tls tls = { { NULL } };

	listener_tls_open(&tls, c->conf, NULL, c->errors, c->warnings);
	listener_tls_close(&tls);
}

/* ---- what the machine has ---- */

/* What bounds the memory of our control group (cgroups(7), version 2); NULL: it is not told. */
static FILE *
open_memory_limit(void)
{
	char line[PATH_MAX], path[PATH_MAX + 64];
	FILE *f = fopen("/proc/self/cgroup", "re");
	bool is_found = false;

	if (f == NULL)
		return NULL;
	while (!is_found && fgets(line, sizeof(line), f) != NULL)
		is_found = strncmp(line, "0::/", 4) == 0;
	(void)fclose(f);
	if (!is_found)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", line + 3);
	return fopen(path, "re");
}

/* Of the machine, or of our control group when that is less. */
static uint64_t
memory_there_is(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t memory = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
	FILE *f = open_memory_limit();
	unsigned long long limit;

	if (f == NULL)
		return memory;
	if (fscanf(f, "%llu", &limit) == 1 && limit > 0 && (memory == 0 || limit < memory))
		memory = limit;
	(void)fclose(f);
	return memory;
}

static void
check_contradictions(const struct preflight *c)
{
	struct conf_machine machine = { .memory = memory_there_is() };
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max != RLIM_INFINITY)
		machine.files_max = files.rlim_max;
	conf_contradictions(c->conf, c->path, &machine, c->warnings);
}

/* Not when the file could not be read: of defaults alone there is nothing to say. */
static bool
anything_is_set(const struct conf *conf)
{
	for (unsigned i = 0; i < conf->setting_count; i++)
		if (conf->settings[i].place != NULL)
			return true;
	return false;
}

void
preflight(const struct conf *conf, const char *path, bool is_loaded, struct buf *errors,
    struct buf *warnings)
{
	struct preflight c = { conf, path, errors, warnings, geteuid() == 0, -1 };

	if (!is_loaded && !anything_is_set(conf))
		return;
	check_user(&c);
	check_output_file(&c, "log_file", conf->log_file);
	check_output_file(&c, "pid_file", conf->pid_file);
	open_extract_program(&c);
	become_user(&c);
	check_reopening(&c);
	check_reloading(&c);
	check_program(&c);
	check_spool(&c);
	check_all_certificates(&c);
	check_listeners(&c);
	check_tls(&c);
	if (is_loaded)
		check_contradictions(&c);
}

void
preflight_reload(const struct conf *conf, const char *path, struct buf *errors,
    struct buf *warnings)
{
	struct preflight c = { conf, path, errors, warnings, false, -1 };

	check_all_certificates(&c);
	check_contradictions(&c);
}
