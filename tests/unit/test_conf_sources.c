/* SPDX-License-Identifier: MIT */
/*
 * Where values come from: environment, files of secrets, included files; which files others may
 * not read; and that the committed sample is what the table prints.
 */
#include "conf_fixture.h"

#include <pthread.h>

static void
values_come_from_the_environment(void **state)
{
	(void)state;
	setenv("TG_TEST_MODEL", "from-env", 1);
	unsetenv("TG_TEST_NONE");
	fine(GOOD "chat_model = x-${TG_TEST_MODEL}-y\n"
		  "embedding_model = ${TG_TEST_NONE:-other}\nneon_region = $$a$b\n");
	assert_string_equal(conf.model.chat_model, "x-from-env-y");
	assert_string_equal(conf.model.embedding_model, "other");
	assert_string_equal(conf.tenants.neon_region, "$a$b");
	refused(GOOD "chat_model = ${TG_TEST_NONE}\n",
	    "5: The environment has no TG_TEST_NONE; set it, or write ${TG_TEST_NONE:-DEFAULT}.");
	refused(GOOD "chat_model = ${TG_TEST\n",
	    "5: A reference is ${NAME} or ${NAME:-default}; write $$ for a dollar sign.");
	refused(GOOD "chat_model = ${A B}\n",
	    "5: A reference is ${NAME} or ${NAME:-default}; write $$ for a dollar sign.");
}

static void
secrets_come_from_files(void **state)
{
	char want[512];

	(void)state;
	put_file("key.txt", "nk-from-file\n", 0600);
	fine("[tenantgate]\ncatalog_url = postgresql://u@h/tg\nseal_keys = " HEX64 "\n"
	     "neon_api_key = @key.txt\n");
	assert_string_equal(conf.tenants.neon_api_key, "nk-from-file");
	put_file("key.txt", "nk\n", 0644);
	assert_false(load(GOOD "model_api_key = @key.txt\n"));
	snprintf(want, sizeof(want),
	    "%s:5: %s/key.txt can be read by others; run `chmod o= %s/key.txt`.\n", path, folder,
	    folder);
	assert_string_equal(errors.data, want);
	assert_false(load("[tenantgate]\ncatalog_url = postgresql://u@h/tg\nseal_keys = " HEX64
			  "\nneon_api_key = @key.txt\n"));
	snprintf(want, sizeof(want),
	    "%s:4: %s/key.txt can be read by others; run `chmod o= %s/key.txt`.\n", path, folder,
	    folder);
	assert_string_equal(errors.data, want);
	assert_false(load(GOOD "model_api_key = @absent.txt\n"));
	assert_non_null(
	    strstr(errors.data, "/absent.txt cannot be read: No such file or directory.\n"));
}

static void
secrets_others_may_read_are_refused(void **state)
{
	(void)state;
	setenv("TG_TEST_SECRET", HEX64, 1);
	assert_false(load_mode("[tenantgate]\nseal_keys = " HEX64 "\n"
			       "catalog_url = postgresql://u:pw@h/d\nneon_api_key = x\n",
	    0644));
	assert_non_null(strstr(errors.data, ":2: seal_keys is a secret and others may read"));
	assert_non_null(strstr(errors.data, ":3: catalog_url is a secret and others may read"));
	assert_non_null(strstr(errors.data, ":4: neon_api_key is a secret and others may read"));
	assert_null(strstr(errors.data, "pw"));
	assert_true(load_mode("[tenantgate]\nseal_keys = ${TG_TEST_SECRET}\n"
			      "catalog_url = postgresql://u:${TG_TEST_SECRET}@h/d\n"
			      "neon_api_key = ${TG_TEST_SECRET}\n"
			      "redis_url = redis://:${TG_TEST_SECRET}@${TG_TEST_SECRET}:1\n",
	    0644));
	assert_false(
	    load_mode("[tenantgate]\nseal_keys = ${TG_TEST_NONE:-" HEX64 "}\n"
		      "catalog_url = postgresql://u@h/d\nneon_api_key = ${TG_TEST_SECRET}\n",
		0644));
	assert_non_null(strstr(errors.data, ":2: seal_keys is a secret"));
	assert_null(strstr(errors.data, "catalog_url"));
}

static void
files_are_included(void **state)
{
	char want[512];

	(void)state;
	put_file("more.conf", "[tenantgate]\ntop_k = 7\n", 0600);
	fine(GOOD "%include more.conf\nchunk_size = 500\n");
	assert_int_equal(conf.api.top_k, 7);
	assert_int_equal(conf.api.chunk_size, 500);
	put_file("more.conf", "[tenantgate]\n\ntop_k = no\n", 0600);
	assert_false(load(GOOD "%include more.conf\n"));
	snprintf(want, sizeof(want),
	    "%s/more.conf:3: top_k takes a number from 1 to 100, not "
	    "\"no\".\n",
	    folder);
	assert_string_equal(errors.data, want);
	put_file("more.conf", "%include more.conf\n", 0600);
	assert_false(load(GOOD "%include more.conf\n"));
	assert_non_null(strstr(errors.data,
	    "more.conf:1: Files include others more than 8 deep; does one "
	    "include itself?\n"));
	assert_false(load(GOOD "%include gone.conf\n"));
	assert_non_null(strstr(errors.data, ":5: "));
	assert_non_null(
	    strstr(errors.data, "gone.conf cannot be read: No such file or directory.\n"));
}

static void
an_absent_file_is_reported(void **state)
{
	(void)state;
	conf_free(&conf);
	buf_reset(&errors);
	assert_false(conf_load(&conf, "/nonexistent/t.conf", &errors));
	assert_non_null(strstr(errors.data,
	    "/nonexistent/t.conf: The file cannot be read: No such file or directory.\n"));
}

/* Another file by mistake, or one that includes itself again and again. */
static void
too_many_errors_end_the_reading(void **state)
{
	struct buf text;
	unsigned lines = 0;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_puts(&text, GOOD);
	for (unsigned i = 0; i < 60000; i++)
		buf_puts(&text, "no_such_key = 1\n");
	buf_putc(&text, '\0');
	assert_false(load(text.data));
	buf_free(&text);
	for (const char *p = errors.data; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, CONF_ERRORS_MAX + 1);
	assert_non_null(strstr(errors.data, "There are more errors than these 100; correct them"));
	put_file("more.conf",
	    "%include more.conf\n%include more.conf\n%include more.conf\n%include more.conf\n"
	    "%include more.conf\n%include more.conf\n%include more.conf\n%include more.conf\n",
	    0600);
	assert_false(load(GOOD "%include more.conf\n"));
	assert_non_null(strstr(errors.data, "more errors than these"));
}

static void *
write_a_key_late(void *fifo)
{
	FILE *f = fopen(fifo, "w"); /* waits for who reads */

	fputs("nk-from-", f);
	fflush(f);
	usleep(20000);
	fputs("pipe\n", f);
	fclose(f);
	return NULL;
}

static void
a_pipe_is_read_when_somebody_writes(void **state)
{
	static const char text[] =
	    "[tenantgate]\ncatalog_url = postgresql://u@h/tg\nseal_keys = " HEX64
	    "\nneon_api_key = @pipe\n";
	char fifo[128];
	pthread_t writer;

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s/pipe", folder);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_a_key_late, fifo), 0);
	fine(text);
	assert_string_equal(conf.tenants.neon_api_key, "nk-from-pipe");
	pthread_join(writer, NULL);
	/* Without one it is given up, and the main thread goes on. */
	assert_false(load(text));
	assert_non_null(strstr(errors.data, "/pipe cannot be read: No data available.\n"));
	unlink(fifo);
}

static void
long_values_are_read(void **state)
{
	static char text[16384];
	size_t n = (size_t)snprintf(text, sizeof(text), "%schat_model = ", GOOD);

	(void)state;
	memset(text + n, 'a', CONF_VALUE_MAX + 1);
	refused(text, "5: The value is longer than 8192 bytes; shorten it.");
}

static char *
printed(void (*print)(FILE *), size_t *len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, len);

	assert_non_null(f);
	print(f);
	fclose(f);
	return text;
}

static void
the_sample_is_up_to_date(void **state)
{
	static char committed[65536];
	FILE *f = fopen(SAMPLE_FILE, "r");
	size_t len, n;
	char *text = printed(conf_print_sample, &len);

	(void)state;
	assert_non_null(f);
	n = fread(committed, 1, sizeof(committed) - 1, f);
	fclose(f);
	committed[n] = '\0';
	assert_string_equal(committed, text);
	setenv("TENANTGATE_CATALOG_URL", "postgresql://u@h/tg", 1);
	setenv("TENANTGATE_SEAL_KEYS", HEX64, 1);
	assert_false(load_mode(text, 0644));
	assert_non_null(strstr(errors.data, "neon_api_key must be set when provider = neon."));
	free(text);
}

static void
help_names_every_key(void **state)
{
	size_t len;
	char *text = printed(conf_print_keys, &len);

	(void)state;
	for (unsigned i = 0; i < conf_key_count(&conf_sections[0]); i++)
		assert_non_null(strstr(text, conf_key_at(&conf_sections[0], i)->name));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_from_the_environment),
		cmocka_unit_test(secrets_come_from_files),
		cmocka_unit_test(secrets_others_may_read_are_refused),
		cmocka_unit_test(files_are_included),
		cmocka_unit_test(an_absent_file_is_reported),
		cmocka_unit_test(too_many_errors_end_the_reading),
		cmocka_unit_test(a_pipe_is_read_when_somebody_writes),
		cmocka_unit_test(long_values_are_read),
		cmocka_unit_test(the_sample_is_up_to_date),
		cmocka_unit_test(help_names_every_key),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
