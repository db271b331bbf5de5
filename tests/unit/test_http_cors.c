/* SPDX-License-Identifier: MIT */
/*
 * test_http_cors: which lists of origins are taken. What no browser would ever send is refused with
 * what to write instead, for nothing would tell the operator later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/http.h"

static void
each_serialized_origin_is_taken(void **state)
{
	static const char *const good[] = { NULL, "", "https://app.example.com",
		"http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:3000",
		"https://xn--bcher-kva.example", "https://a.example,https://b.example",
		"  https://a.example ,\thttps://b.example  ", "capacitor://localhost",
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop", "http://a.example:443",
		"https://a.example:80", "https://a.example:8443", "http://[2001:db8::a]",
		"http://a.example.:65535", "http://10.0.0.1.example", "http://app-1:1" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = { 0 };

		assert_true(http_origins_are_valid(good[i], &err));
		assert_false(err_is(&err));
	}
}

static void
what_no_browser_sends_is_refused(void **state)
{
	static const char *const bad[] = { "*", "null", "https://*", "https://*.example.com",
		"app.example.com", "//app.example.com", "https:app.example.com",
		"https:/app.example.com", "https://", "https://app.example.com/",
		"https://app.example.com/path", "https://app.example.com?", "https://u@a.example",
		"https://App.example.com", "HTTPS://app.example.com",
		"https://app.example.com:", "https://app.example.com:443",
		"http://app.example.com:80", "https://a b", "https://a.example https://b.example",
		"https://a.example,,https://b.example", "https://a.example;https://b.example/",
		"://a.example", "1http://a.example", "https://a.example\r\nX: y", ",",
		"https://b\xc3\xbc"
		"cher.example",
		"https://a.example:08443", "https://a.example:00", "https://a.example:65536",
		"https://a%20b", "https://%61.example", "http://[::0001]:3000",
		"http://[2001:DB8::a]", "http://[1:2]", "http://[..]", "http://0x7f.1",
		"http://127.1", "http://2130706433:3000", "http://010.0.0.1", "http://10.0.0.1.:1",
		"http://a.256" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { 0 };

		if (http_origins_are_valid(bad[i], &err))
			fail_msg("%s is taken for an origin", bad[i]);
		assert_non_null(strstr(err.detail, "is no origin; name each in full"));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_serialized_origin_is_taken),
		cmocka_unit_test(what_no_browser_sends_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
