/* SPDX-License-Identifier: MIT */
/*
 * Which addresses are public: at both edges of each range that is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "tenantgate/base/address.h"

static bool
is_public(const char *text)
{
	struct in6_addr address;

	if (!address_read(slice_str(text), AF_UNSPEC, &address))
		fail_msg("%s is no address", text);
	return address_is_public(&address);
}

/* At both edges of each range, where it has neighbours that are public. */
static const struct address_class {
	const char *first, *last;    /* of the range */
	const char *before, *behind; /* NULL: closed as well, by another row */
	const char *rule;
} closed[] = {
	{ "0.0.0.0", "0.255.255.255", NULL, "1.0.0.0", "RFC 791, 3.2: this network" },
	{ "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0", "RFC 1918: private" },
	{ "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0",
	    "RFC 6598: a carrier's NAT" },
	{ "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0",
	    "RFC 1122, 3.2.1.3: loopback" },
	{ "169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0",
	    "RFC 3927: link-local" },
	{ "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0", "RFC 1918: private" },
	{ "192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0", "RFC 6890, 2.1: protocols" },
	{ "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0", "RFC 5737: documentation" },
	{ "192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0",
	    "RFC 7526: relays of 6to4" },
	{ "192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0", "RFC 1918: private" },
	{ "198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0", "RFC 2544: benchmarks" },
	{ "198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0",
	    "RFC 5737: documentation" },
	{ "203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0",
	    "RFC 5737: documentation" },
	{ "224.0.0.0", "239.255.255.255", "223.255.255.255", NULL, "RFC 5771: multicast" },
	{ "240.0.0.0", "255.255.255.255", NULL, NULL,
	    "RFC 1112, 4; RFC 8190: reserved, broadcast" },
	{ "::", "::1", NULL, NULL, "RFC 4291, 2.5.2 and 2.5.3: unspecified, loopback" },
	{ "::7f00:1", "::ffff:ffff", NULL, NULL, "RFC 4291, 2.5.5.1: IPv4-compatible" },
	{ "::ffff:10.0.0.0", "::ffff:10.255.255.255", "::ffff:9.255.255.255", "::ffff:11.0.0.0",
	    "RFC 4291, 2.5.5.2: mapped; as the IPv4 address" },
	{ "::ffff:127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:128.0.0.0",
	    "RFC 4291, 2.5.5.2: mapped; as the IPv4 address" },
	{ "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", NULL, NULL,
	    "RFC 4291, 2.5.5.2: mapped; as the IPv4 address" },
	{ "::ffff:0:7f00:1", "::ffff:0:ffff:ffff", NULL, NULL, "RFC 7915, 2.1: translated" },
	{ "64:ff9b::", "64:ff9b::ffff:ffff", NULL, NULL, "RFC 6052, 2.1: NAT64" },
	{ "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", NULL, NULL, "RFC 8215: NAT64" },
	{ "100::", "100::ffff:ffff:ffff:ffff", NULL, NULL, "RFC 6666: discarded" },
	{ "1fff:ffff::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL,
	    "2000::", "RFC 4291, 2.4: no global unicast of today" },
	{ "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff::", NULL,
	    "RFC 4380: Teredo" },
	{ "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", NULL, NULL, "RFC 5180: benchmarks" },
	{ "2001:10::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", NULL,
	    "2001:200::", "RFC 4843, RFC 7343: ORCHID" },
	{ "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
	    "2001:db7:ffff::", "2001:db9::", "RFC 3849: documentation" },
	{ "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	    "2001:ffff::", "2003::", "RFC 3056: 6to4, an IPv4 address is in it" },
	{ "2002:7f00:1::", "2002:a9fe:a9fe::1", NULL, NULL, "RFC 3056: 6to4 of one's own" },
	{ "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
	    "3ffe:ffff::", "3fff:1000::", "RFC 9637: documentation" },
	{ "4000::", "5f00:ffff::", "3fff:ffff::", NULL, "RFC 4291, 2.4; RFC 9602: not unicast" },
	{ "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL, "RFC 4193: local" },
	{ "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL,
	    "RFC 4291, 2.5.6: link-local" },
	{ "fec0::", "feff:ffff::", NULL, NULL, "RFC 3879: site-local" },
	{ "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, NULL,
	    "RFC 4291, 2.7: multicast" },
};

static void
what_is_not_public_is_kept_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		const struct address_class *c = &closed[i];

		if (is_public(c->first) || is_public(c->last))
			fail_msg("%s to %s is not public: %s", c->first, c->last, c->rule);
	}
}

static void
its_neighbours_are_let_through(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		const struct address_class *c = &closed[i];

		if (c->before != NULL && !is_public(c->before))
			fail_msg("%s is public, before %s", c->before, c->rule);
		if (c->behind != NULL && !is_public(c->behind))
			fail_msg("%s is public, behind %s", c->behind, c->rule);
	}
}

static void
what_is_public_is_let_through(void **state)
{
	static const char *const open[] = { "1.1.1.1", "8.8.8.8", "223.255.255.255",
		"::ffff:8.8.8.8", "2600:1f16::1", "2a00:1450:4001::1", "2001:200::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		if (!is_public(open[i]))
			fail_msg("%s is public", open[i]);
}

/* Of the forms in which libraries of other languages read an address none is one here. */
static void
an_address_has_one_spelling(void **state)
{
	static const char *const none[] = { "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
		"127.0.0.01", "0x7f.0.0.1", "127.0.0.1.", "[::1]", "::1%lo", "fe80::1%1",
		"1.2.3.4/32", " 127.0.0.1", "::ffff:127.0.0.1%0", "" };
	struct in6_addr address;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (address_read(slice_str(none[i]), AF_UNSPEC, &address))
			fail_msg("%s was read as an address", none[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_public_is_let_through),
		cmocka_unit_test(what_is_not_public_is_kept_out),
		cmocka_unit_test(its_neighbours_are_let_through),
		cmocka_unit_test(an_address_has_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
