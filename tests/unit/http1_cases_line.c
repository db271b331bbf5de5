/* SPDX-License-Identifier: MIT */
/*
 * http1_cases: the request line. Two readers who cut it differently see two requests (request
 * smuggling, RFC 9112 11.2), so there is one form of each part, and no repair.
 */
#include "http1_cases.h"

const struct http1_case http1_line_cases[] = {
	/* Line ends, and what comes before the line. */
	ACCEPTED("one empty line before the request", "2.2", "\r\n" GET "\r\n",
	    "GET / keep | Host: x"),
	REFUSED(400, "two empty lines before the request", "2.2", "\r\n\r\n" GET "\r\n"),
	REFUSED(400, "the empty line before is a bare LF", "2.2", "\n" GET "\r\n"),
	REFUSED(400, "the line ends in a bare LF", "2.2", "GET / HTTP/1.0\n\r\n"),
	REFUSED(400, "the line ends in a bare CR", "2.2", "GET / HTTP/1.0\rA: b\r\n\r\n"),
	REFUSED(400, "the line ends in CR CR LF", "2.2", "GET / HTTP/1.0\r\r\n\r\n"),
	REFUSED(400, "TLS on a plain port", "2.1", "\x16\x03\x01\x02"),

	/* method SP target SP version */
	REFUSED(400, "no version, as in HTTP/0.9", "3", "GET /\r\n\r\n"),
	REFUSED(400, "one word", "3", "GARBAGE\r\n\r\n"),
	REFUSED(400, "two spaces behind the method", "3", "GET  / HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "two spaces behind the target", "3", "GET /  HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a space behind the version", "3", "GET / HTTP/1.1 \r\n" HOST "\r\n"),
	REFUSED(400, "a space before the method", "3", " GET / HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a tab for a space", "3", "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a space in the target", "3.2", "GET /a b HTTP/1.1\r\n" HOST "\r\n"),

	/* The method. */
	ACCEPTED("any token is a method", "3.1", "M!#$%&'*+-.^_`|~9 / HTTP/1.1\r\n" HOST "\r\n",
	    "M!#$%&'*+-.^_`|~9 / keep | Host: x"),
	ACCEPTED("methods are told apart by case", "3.1", "get / HTTP/1.1\r\n" HOST "\r\n",
	    "get / keep | Host: x"),
	ACCEPTED("a method of 32 characters", "3.1", X8 X8 X8 X8 " / HTTP/1.1\r\n" HOST "\r\n",
	    X8 X8 X8 X8 " / keep | Host: x"),
	REFUSED(400, "a method of 33 characters", "3.1",
	    X8 X8 X8 X8 "a / HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a method that is no token", "3.1", "G(T / HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a method outside ASCII", "3.1", "G\xc3\x8bT / HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "NUL in the method", "3.1", "G\0T / HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(501, "CONNECT: this is no tunnel", "RFC 9110 9.3.6",
	    "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(501, "CONNECT by HTTP/1.0", "RFC 9110 9.3.6", "CONNECT a:1 HTTP/1.0\r\n\r\n"),

	/* The version. */
	ACCEPTED("HTTP/1.0", "2.3", "GET / HTTP/1.0\r\n" HOST "\r\n", "GET / close | Host: x"),
	REFUSED(400, "the version in small letters", "2.3", "GET / http/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a minor version of two digits", "2.3", "GET / HTTP/1.10\r\n" HOST "\r\n"),
	REFUSED(400, "a major version of two digits", "2.3", "GET / HTTP/01.1\r\n" HOST "\r\n"),
	REFUSED(400, "no dot", "2.3", "GET / HTTP/1,1\r\n" HOST "\r\n"),
	REFUSED(400, "a letter for the minor version", "2.3", "GET / HTTP/1.x\r\n" HOST "\r\n"),
	REFUSED(400, "a letter for the major version", "2.3", "GET / HTTP/x.1\r\n" HOST "\r\n"),
	REFUSED(400, "another protocol's name", "2.3", "GET / ICAP/1.1\r\n" HOST "\r\n"),
	REFUSED(505, "HTTP/1.2", "2.3", "GET / HTTP/1.2\r\n" HOST "\r\n"),
	REFUSED(505, "HTTP/0.9 by name", "2.3", "GET / HTTP/0.9\r\n\r\n"),
	REFUSED(505, "HTTP/3.0", "2.3", "GET / HTTP/3.0\r\n" HOST "\r\n"),
	REFUSED(505, "the preface of HTTP/2", "RFC 9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),

	/* Forms of the target. */
	ACCEPTED("origin-form", "3.2.1", "GET /a/b?c=d HTTP/1.1\r\n" HOST "\r\n",
	    "GET /a/b?c=d keep | Host: x"),
	ACCEPTED("a second '?' is the query's", "3.2.1", "GET /a?b?c HTTP/1.1\r\n" HOST "\r\n",
	    "GET /a?b?c keep | Host: x"),
	ACCEPTED("an empty query", "3.2.1", "GET /? HTTP/1.1\r\n" HOST "\r\n",
	    "GET / keep | Host: x"),
	ACCEPTED("percent-encoding is left as it is", "3.2.1",
	    "GET /%2e%00/%zz HTTP/1.1\r\n" HOST "\r\n", "GET /%2e%00/%zz keep | Host: x"),
	ACCEPTED("absolute-form, whatever Host says", "3.2.2",
	    "GET http://a.example:80/p?q HTTP/1.1\r\nHost: b\r\n\r\n", "GET /p?q keep | Host: b"),
	ACCEPTED("absolute-form without a path", "3.2.2",
	    "GET HTTPS://[2001:db8::1]:8443 HTTP/1.1\r\n" HOST "\r\n", "GET / keep | Host: x"),
	ACCEPTED("absolute-form with a query and no path", "3.2.2",
	    "GET http://a?q=1 HTTP/1.1\r\n" HOST "\r\n", "GET /?q=1 keep | Host: x"),
	REFUSED(400, "absolute-form does not stand in for Host", "3.2.2",
	    "GET http://a.example/ HTTP/1.1\r\n\r\n"),
	REFUSED(400, "absolute-form beside a Host that is none", "3.2.2",
	    "GET http://a.example/ HTTP/1.1\r\nHost: a/b\r\n\r\n"),
	REFUSED(400, "absolute-form of another scheme", "3.2.2",
	    "GET ftp://a/p HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a scheme without an authority", "3.2.2",
	    "GET http:/p HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "an empty host", "RFC 9110 4.2.1", "GET http:///p HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a port without a host", "RFC 9110 4.2.1",
	    "GET http://:80/ HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "userinfo in the target", "RFC 9110 4.2.4",
	    "GET http://u@a/p HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a port that is no number", "3.2.2",
	    "GET http://a:b/ HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "authority-form is CONNECT's alone", "3.2.3",
	    "GET a.example:443 HTTP/1.1\r\n" HOST "\r\n"),
	ACCEPTED("asterisk-form", "3.2.4", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n",
	    "OPTIONS * keep | Host: x"),
	REFUSED(400, "asterisk-form is OPTIONS's alone", "3.2.4", "GET * HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "more than an asterisk", "3.2.4", "OPTIONS ** HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a path that does not begin with '/'", "3.2.1",
	    "GET a/b HTTP/1.1\r\n" HOST "\r\n"),

	/* Characters of the target. */
	REFUSED(400, "a fragment", "3.2", "GET /#f HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "bytes outside ASCII", "3.2", "GET /\xc3\xa0 HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a tab in the target", "3.2", "GET /\t HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "a control character in the target", "3.2",
	    "GET /\x01 HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "NUL in the target", "3.2", "GET /\0 HTTP/1.1\r\n" HOST "\r\n"),
	REFUSED(400, "DEL in the target", "3.2", "GET /\x7f HTTP/1.1\r\n" HOST "\r\n"),

	/* Its ceiling. */
	ACCEPTED("a target as long as is allowed", "3", "GET /" X7(X8) "aaaaaaa HTTP/1.0\r\n\r\n",
	    "GET /" X7(X8) "aaaaaaa close"),
	REFUSED(414, "a target one longer", "3", "GET /" X64 " HTTP/1.0\r\n\r\n"),
	REFUSED(414, "a request line that does not end", "3", "GET /" X64 X64),
	LAST_CASE,
};
