/* SPDX-License-Identifier: MIT */
/*
 * http1_cases: where a body ends. Two readers who do not agree on it let a request be hidden in
 * another one's body (request smuggling, RFC 9112 11.2): whatever two readers could take
 * differently is refused.
 */
#include "http1_cases.h"

#define LENGTH(n)  POST "Content-Length: " n "\r\n\r\n"
#define CODING(te) POST "Transfer-Encoding: " te "\r\n\r\n0\r\n\r\n"
#define BOTH	   "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"

const struct http1_case http1_body_cases[] = {
	/* No field: no body. */
	ACCEPTED("a request without a length has no body", "6.3", POST "\r\n" GET "\r\n",
	    "POST /echo keep | Host: x\nGET / keep | Host: x"),
	REFUSED(400, "a body without a length is the next request", "6.3", POST "\r\nhello\r\n"),

	/* Content-Length. */
	ACCEPTED("a length", "6.2", LENGTH("5") "hello" GET "\r\n",
	    "POST /echo keep | Host: x | Content-Length: 5 || hello\nGET / keep | Host: x"),
	ACCEPTED("a length of zero", "6.2", LENGTH("0") GET "\r\n",
	    "POST /echo keep | Host: x | Content-Length: 0\nGET / keep | Host: x"),
	ACCEPTED("a length by HTTP/1.0", "6.2",
	    "POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
	    "POST /echo close | Content-Length: 5 || hello"),
	ACCEPTED("any bytes are a body", "6", LENGTH("5") "\0\r\n\x7f\xff",
	    "POST /echo keep | Host: x | Content-Length: 5 || \\0\r\n\x7f\xff"),
	ACCEPTED("CRLF behind a body is an empty line before a request", "2.2",
	    LENGTH("1") "x\r\n" GET "\r\n",
	    "POST /echo keep | Host: x | Content-Length: 1 || x\nGET / keep | Host: x"),
	ACCEPTED("a body that is not whole is no message", "6.3", LENGTH("5") "hell",
	    "POST /echo keep | Host: x | Content-Length: 5 || hell..."),
	ACCEPTED("a length of 18 digits", "6.2", LENGTH("999999999999999999") "x",
	    "POST /echo keep | Host: x | Content-Length: 999999999999999999 || x..."),
	REFUSED(400, "a length of 19 digits", "6.2", LENGTH("0000000000000000005") "hello"),
	REFUSED(400, "a length of 2^64, which may wrap to 0", "6.2",
	    LENGTH("18446744073709551616")),
	REFUSED(400, "a length of 10 that is 8 in octal", "11.2", LENGTH("010") "helloworld"),
	REFUSED(400, "a tab behind a length, which is none to some", "11.2", LENGTH("5\t") "hello"),
	REFUSED(400, "a tab before a coding, which is none to some", "11.2", CODING("\tchunked")),
	REFUSED(400, "zeros before a length", "11.2", LENGTH("005") "hello"),
	REFUSED(400, "a length of two zeros", "11.2", LENGTH("00")),
	REFUSED(400, "an empty length", "6.2", LENGTH("")),
	REFUSED(400, "a negative length", "6.2", LENGTH("-1")),
	REFUSED(400, "a plus before a length", "6.2", LENGTH("+5") "hello"),
	REFUSED(400, "a length in hexadecimal", "6.2", LENGTH("0x5") "hello"),
	REFUSED(400, "a letter in a length", "6.2", LENGTH("5a") "hello"),
	REFUSED(400, "an underscore in a length", "6.2", LENGTH("1_0")),
	REFUSED(400, "a blank in a length", "6.2", LENGTH("1 0")),
	REFUSED(400, "a fraction", "6.2", LENGTH("5.0") "hello"),
	REFUSED(400, "digits outside ASCII", "6.2", LENGTH("\xd9\xa5") "hello"),
	REFUSED(400, "NUL behind a length", "6.2", LENGTH("5\0") "hello"),
	REFUSED(400, "a list of one length", "6.3", LENGTH("5, 5") "hello"),
	REFUSED(400, "a list of two lengths", "6.3", LENGTH("5, 6") "hello"),
	REFUSED(400, "the same length twice", "6.3",
	    POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
	REFUSED(400, "two lengths", "6.3",
	    POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
	REFUSED(400, "a name that some gateways take for Content-Length", "11.2",
	    POST "Content_Length: 5\r\n\r\n"),

	/* Transfer-Encoding. */
	ACCEPTED("chunked", "7.1", CODING("chunked") GET "\r\n",
	    "POST /echo keep | Host: x | Transfer-Encoding: chunked\nGET / keep | Host: x"),
	ACCEPTED("the name of a coding in any case", "7", CODING("CHUNKED"),
	    "POST /echo keep | Host: x | Transfer-Encoding: CHUNKED"),
	REFUSED(400, "a length, then a coding", "6.3", POST BOTH "\r\n0\r\n\r\n"),
	REFUSED(400, "a coding, then a length", "6.3",
	    POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
	REFUSED(400, "a length of zero beside a coding", "6.3",
	    POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	REFUSED(400, "a coding by HTTP/1.0", "6.1",
	    "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	REFUSED(400, "a coding by HTTP/1.0 that stays", "6.1",
	    "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	REFUSED(400, "chunked twice", "7.1", CODING("chunked, chunked")),
	REFUSED(400, "chunked in two fields", "7.1",
	    POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	REFUSED(400, "chunked is not the last coding", "6.3", CODING("chunked, gzip")),
	REFUSED(400, "a coding this server does not know, then chunked", "6.1",
	    CODING("gzip, chunked")),
	REFUSED(400, "a coding that does not say where the body ends", "6.3", CODING("gzip")),
	REFUSED(400, "identity is no coding any more", "7", CODING("identity")),
	REFUSED(400, "more letters than chunked", "7", CODING("xchunked")),
	REFUSED(400, "chunked in quotes", "7", CODING("\"chunked\"")),
	REFUSED(400, "chunked with a parameter", "7.1", CODING("chunked;a=b")),
	REFUSED(400, "a comma behind chunked", "6.1", CODING("chunked,")),
	REFUSED(400, "a vertical tab before chunked", "RFC 9110 5.5", CODING("\013chunked")),
	REFUSED(400, "an empty coding", "6.1", CODING("")),
	REFUSED(400, "a name that some gateways take for Transfer-Encoding", "11.2",
	    POST "Transfer_Encoding: chunked\r\n\r\n"),
	LAST_CASE,
};
