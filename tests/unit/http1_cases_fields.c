/* SPDX-License-Identifier: MIT */
/*
 * http1_cases: the header section, and the fields that say whom a request is for and whether the
 * connection stays.
 */
#include "http1_cases.h"

#define HOST_IS(host) "GET / HTTP/1.1\r\nHost: " host "\r\n\r\n"
#define OLD	      "GET / HTTP/1.0\r\n"

const struct http1_case http1_field_cases[] = {
	/* name ":" OWS value OWS */
	ACCEPTED("blanks around a value are dropped", "5.1", GET "A: \t v \tw \t\r\n\r\n",
	    "GET / keep | Host: x | A: v \tw"),
	ACCEPTED("no blank behind the colon", "5.1", GET "A:v\r\n\r\n",
	    "GET / keep | Host: x | A: v"),
	ACCEPTED("an empty value", "RFC 9110 5.5", GET "A:\r\nB: \t\r\n\r\n",
	    "GET / keep | Host: x | A:  | B: "),
	ACCEPTED("a colon in a value", "5", GET "A: b:c\r\n\r\n", "GET / keep | Host: x | A: b:c"),
	ACCEPTED("any token is a name", "RFC 9110 5.1", GET "!#$%&'*+-.^_`|~9z: v\r\n\r\n",
	    "GET / keep | Host: x | !#$%&'*+-.^_`|~9z: v"),
	ACCEPTED("bytes above ASCII in a value", "RFC 9110 5.5", GET "A: caf\xc3\xa9 \xff\r\n\r\n",
	    "GET / keep | Host: x | A: caf\xc3\xa9 \xff"),
	ACCEPTED("names in any case", "RFC 9110 5.1", "GET / HTTP/1.1\r\nhOsT: x\r\n\r\n",
	    "GET / keep | hOsT: x"),
	ACCEPTED("a field twice stays two, in order", "RFC 9110 5.3", GET "A: 1\r\nA: 2\r\n\r\n",
	    "GET / keep | Host: x | A: 1 | A: 2"),
	REFUSED(400, "a space before the colon", "5.1", GET "A : v\r\n\r\n"),
	REFUSED(400, "a tab before the colon", "5.1", GET "A\t: v\r\n\r\n"),
	REFUSED(400, "a space before the colon of a field that frames", "5.1",
	    POST "Content-Length : 5\r\n\r\nhello"),
	REFUSED(400, "no colon", "5", GET "A\r\n\r\n"),
	REFUSED(400, "no name", "5", GET ": v\r\n\r\n"),
	REFUSED(400, "a space in a name", "5.1", GET "A b: v\r\n\r\n"),
	REFUSED(400, "a separator in a name", "RFC 9110 5.1", GET "A(b): v\r\n\r\n"),
	REFUSED(400, "a name outside ASCII", "RFC 9110 5.1", GET "\xc3\x84: v\r\n\r\n"),
	REFUSED(400, "NUL in a name", "RFC 9110 5.1", GET "A\0: v\r\n\r\n"),

	/* Folds and line ends. */
	REFUSED(400, "obs-fold by a space", "5.2", GET "A: v\r\n w\r\n\r\n"),
	REFUSED(400, "obs-fold by a tab", "5.2", GET "A: v\r\n\tw\r\n\r\n"),
	REFUSED(400, "a fold that looks like a field", "5.2", GET "A: v\r\n B: w\r\n\r\n"),
	REFUSED(400, "a fold of nothing", "5.2", GET "A: v\r\n \r\n\r\n"),
	REFUSED(400, "a blank before the first field", "2.2", "GET / HTTP/1.1\r\n " HOST "\r\n"),
	REFUSED(400, "a bare CR in a value", "2.2", GET "A: v\rB: w\r\n\r\n"),
	REFUSED(400, "CR CR LF", "2.2", GET "A: v\r\r\n\r\n"),
	REFUSED(400, "a bare LF between fields", "2.2", GET "A: v\nB: w\r\n\r\n"),
	REFUSED(400, "a bare LF ends the section", "2.2", GET "\n"),
	REFUSED(400, "a bare CR ends the section", "2.2", GET "\rGET / HTTP/1.1\r\n"),

	/* Characters of a value. */
	REFUSED(400, "NUL in a value", "RFC 9110 5.5", GET "A: v\0w\r\n\r\n"),
	REFUSED(400, "a control character in a value", "RFC 9110 5.5", GET "A: \x1b[0m\r\n\r\n"),
	REFUSED(400, "a vertical tab is no blank", "RFC 9110 5.5", GET "A:\x0bv\r\n\r\n"),
	REFUSED(400, "DEL in a value", "RFC 9110 5.5", GET "A: v\x7f\r\n\r\n"),

	/* Ceilings (RFC 6585 has the status). */
	ACCEPTED("as many fields as are allowed", "RFC 9110 5.4", GET X7("A: b\r\n") "\r\n",
	    "GET / keep | Host: x" X7(" | A: b")),
	REFUSED(431, "a field more", "RFC 9110 5.4", GET X7("A: b\r\n") "A: b\r\n\r\n"),
	ACCEPTED("a section as long as is allowed", "RFC 9110 5.4",
	    GET "A: " X7(X64) X8 X8 X8 X8 "\r\n\r\n",
	    "GET / keep | Host: x | A: " X7(X64) X8 X8 X8 X8),
	REFUSED(431, "a section one longer", "RFC 9110 5.4",
	    GET "A: " X7(X64) X8 X8 X8 X8 "a\r\n\r\n"),
	REFUSED(431, "a field that does not end", "RFC 9110 5.4", GET "A: " X512),

	/* Host. */
	ACCEPTED("HTTP/1.0 needs no Host", "3.2", OLD "\r\n", "GET / close"),
	ACCEPTED("a name and a port", "RFC 9110 7.2", HOST_IS("a_b.c-d~%41!:8080"),
	    "GET / keep | Host: a_b.c-d~%41!:8080"),
	ACCEPTED("an IPv6 address and a port", "RFC 9110 7.2", HOST_IS("[2001:db8::1]:443"),
	    "GET / keep | Host: [2001:db8::1]:443"),
	ACCEPTED("an empty port", "RFC 9110 7.2", HOST_IS("a:"), "GET / keep | Host: a:"),
	REFUSED(400, "HTTP/1.1 without Host", "3.2", "GET / HTTP/1.1\r\nA: b\r\n\r\n"),
	REFUSED(400, "two Hosts", "3.2", GET "Host: y\r\n\r\n"),
	REFUSED(400, "the same Host twice", "3.2", GET HOST "\r\n"),
	REFUSED(400, "two Hosts by HTTP/1.0", "3.2", OLD HOST HOST "\r\n"),
	REFUSED(400, "an empty Host", "RFC 9110 4.2.1", HOST_IS("")),
	REFUSED(400, "a port alone", "RFC 9110 4.2.1", HOST_IS(":80")),
	REFUSED(400, "a space in Host", "3.2", HOST_IS("a b")),
	REFUSED(400, "a path in Host", "3.2", HOST_IS("a/b")),
	REFUSED(400, "userinfo in Host", "3.2", HOST_IS("u@a")),
	REFUSED(400, "bytes outside ASCII in Host", "3.2", HOST_IS("caf\xc3\xa9")),
	REFUSED(400, "a port that is no number", "3.2", HOST_IS("a:b")),
	REFUSED(400, "a port of six digits", "3.2", HOST_IS("a:123456")),
	REFUSED(400, "an address that is not closed", "3.2", HOST_IS("[::1")),
	REFUSED(400, "an address of nothing", "3.2", HOST_IS("[]")),
	REFUSED(400, "no colon behind an address", "3.2", HOST_IS("[::1]80")),
	REFUSED(400, "a name in brackets", "3.2", HOST_IS("[a.example]")),

	/* Fields of which a second one would decide otherwise. */
	REFUSED(400, "two credentials", "RFC 9110 5.3",
	    GET "Authorization: a\r\nauthorization: b\r\n\r\n"),
	REFUSED(400, "two media types", "RFC 9110 5.3",
	    GET "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n"),

	/* Expect. */
	ACCEPTED("a body that waits to be asked for", "RFC 9110 10.1.1",
	    POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
	    "POST /echo keep continue | Host: x | Expect: 100-Continue | Content-Length: 1 || x"),
	ACCEPTED("HTTP/1.0 is not answered 100", "RFC 9110 10.1.1",
	    OLD "Expect: 100-continue\r\n\r\n", "GET / close | Expect: 100-continue"),
	REFUSED(417, "something else is expected", "RFC 9110 10.1.1", GET "Expect: cake\r\n\r\n"),
	REFUSED(417, "more than 100 is expected", "RFC 9110 10.1.1",
	    GET "Expect: 100-continue, cake\r\n\r\n"),
	REFUSED(417, "nothing is expected, by name", "RFC 9110 10.1.1", GET "Expect:\r\n\r\n"),

	/* Connection, and what persists. */
	ACCEPTED("HTTP/1.1 persists", "9.3", GET "\r\n" GET "\r\n",
	    "GET / keep | Host: x\nGET / keep | Host: x"),
	ACCEPTED("HTTP/1.0 does not", "9.3", OLD "\r\n" OLD "\r\n", "GET / close"),
	ACCEPTED("HTTP/1.0 with keep-alive does", "9.3",
	    OLD "Connection: Keep-Alive\r\n\r\n" OLD "\r\n",
	    "GET / keep | Connection: Keep-Alive\nGET / close"),
	ACCEPTED("nothing is read behind close", "9.6", GET "Connection: close\r\n\r\nrubbish",
	    "GET / close | Host: x | Connection: close"),
	ACCEPTED("close in a list, in any case", "RFC 9110 7.6.1",
	    GET "Connection: x, , CLOSE \r\n\r\n",
	    "GET / close | Host: x | Connection: x, , CLOSE"),
	REFUSED(400, "a tab behind close, which is another word to some", "11.2",
	    GET "Connection: close\t\r\n\r\n"),
	ACCEPTED("close wins over keep-alive", "9.3", GET "Connection: close, keep-alive\r\n\r\n",
	    "GET / close | Host: x | Connection: close, keep-alive"),
	ACCEPTED("close in a second field", "RFC 9110 7.6.1",
	    GET "Connection: keep-alive\r\nConnection: close\r\n\r\n",
	    "GET / close | Host: x | Connection: keep-alive | Connection: close"),
	ACCEPTED("closed is not close", "RFC 9110 7.6.1", GET "Connection: closed\r\n\r\n",
	    "GET / keep | Host: x | Connection: closed"),
	ACCEPTED("an upgrade may be ignored", "RFC 9110 7.8",
	    GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
	    "GET / keep | Host: x | Connection: Upgrade | Upgrade: h2c"),
	LAST_CASE,
};
