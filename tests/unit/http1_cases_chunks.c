/* SPDX-License-Identifier: MIT */
/*
 * http1_cases: chunked bodies, their extensions and trailers.
 */
#include "http1_cases.h"

#define CHUNKED	      POST "Transfer-Encoding: chunked\r\n\r\n"
#define SEEN	      "POST /echo keep | Host: x | Transfer-Encoding: chunked"
#define END	      "0\r\n\r\n"
#define TRAILER(line) CHUNKED "0\r\n" line "\r\n\r\n"

const struct http1_case http1_chunk_cases[] = {
	/* Sizes. */
	ACCEPTED("chunks, then another request", "7.1",
	    CHUNKED "5\r\nhello\r\n6\r\n world\r\n" END GET "\r\n",
	    SEEN " || hello world\nGET / keep | Host: x"),
	ACCEPTED("sizes in letters of any case", "7.1",
	    CHUNKED "a\r\n0123456789\r\nB\r\n0123456789a\r\n" END,
	    SEEN " || 01234567890123456789a"),
	ACCEPTED("zeros before a size", "7.1", CHUNKED "0005\r\nhello\r\n000\r\n\r\n",
	    SEEN " || hello"),
	ACCEPTED("what looks like chunks is data", "7.1", CHUNKED "5\r\n0\r\n\r\n\r\n" END,
	    SEEN " || 0\r\n\r\n"),
	ACCEPTED("a size of 15 digits", "7.1", CHUNKED "fffffffffffffff\r\nx", SEEN " || x..."),
	ACCEPTED("a body without its last chunk is not whole", "8", CHUNKED "1\r\nx\r\n",
	    SEEN " || x..."),
	REFUSED(400, "a size of 16 digits", "7.1", CHUNKED "0000000000000001\r\nx\r\n" END),
	REFUSED(400, "a size of 2^64, which may wrap to 0", "7.1",
	    CHUNKED "10000000000000000\r\n\r\n"),
	REFUSED(400, "no size", "7.1", CHUNKED "\r\n\r\n"),
	REFUSED(400, "an extension without a size", "7.1", CHUNKED ";a\r\n\r\n"),
	REFUSED(400, "a plus before a size", "7.1", CHUNKED "+1\r\nx\r\n" END),
	REFUSED(400, "a minus before a size", "7.1", CHUNKED "-1\r\nx\r\n" END),
	REFUSED(400, "0x before a size", "7.1", CHUNKED "0x1\r\nx\r\n" END),
	REFUSED(400, "a letter that is no digit", "7.1", CHUNKED "1g\r\nx\r\n" END),
	REFUSED(400, "an underscore in a size", "7.1", CHUNKED "0_1\r\nx\r\n" END),
	REFUSED(400, "a blank before a size", "7.1", CHUNKED " 1\r\nx\r\n" END),
	REFUSED(400, "a blank behind a size", "7.1", CHUNKED "1 \r\nx\r\n" END),
	REFUSED(400, "a blank behind the last size", "7.1", CHUNKED "0 \r\n\r\n"),
	REFUSED(400, "a NUL behind a size", "7.1", CHUNKED "1\0\r\nx\r\n" END),

	/* Line ends. */
	REFUSED(400, "a bare LF behind a size", "2.2", CHUNKED "1\nx\r\n" END),
	REFUSED(400, "a bare CR behind a size", "2.2", CHUNKED "1\rx\r\n" END),
	REFUSED(400, "a bare LF behind the data", "7.1", CHUNKED "1\r\nx\n" END),
	REFUSED(400, "nothing behind the data", "7.1", CHUNKED "1\r\nx" END),
	REFUSED(400, "more data than the size", "7.1", CHUNKED "1\r\nxy\r\n" END),
	REFUSED(400, "less data than the size", "7.1", CHUNKED "5\r\nhel\r\n" END),
	REFUSED(400, "a bare LF behind the last size", "2.2", CHUNKED "0\n\r\n"),
	REFUSED(400, "a bare LF ends the trailers", "2.2", CHUNKED "0\r\n\n"),

	/* Extensions: checked, and dropped. */
	ACCEPTED("an extension", "7.1.1", CHUNKED "1;a\r\nx\r\n0;z\r\n\r\n", SEEN " || x"),
	ACCEPTED("extensions with values and blanks", "7.1.1",
	    CHUNKED "1;a=b; c = d\t;e\r\nx\r\n" END, SEEN " || x"),
	ACCEPTED("a quoted value, with an escaped quote", "7.1.1",
	    CHUNKED "1;a=\"b;\\\"c\\\\\" \r\nx\r\n" END, SEEN " || x"),
	ACCEPTED("an empty quoted value", "7.1.1", CHUNKED "1;a=\"\"\r\nx\r\n" END, SEEN " || x"),
	REFUSED(400, "an extension of nothing", "7.1.1", CHUNKED "1;\r\nx\r\n" END),
	REFUSED(400, "a value without a name", "7.1.1", CHUNKED "1;=b\r\nx\r\n" END),
	REFUSED(400, "a name without its value", "7.1.1", CHUNKED "1;a=\r\nx\r\n" END),
	REFUSED(400, "a name that is no token", "7.1.1", CHUNKED "1;(a\r\nx\r\n" END),
	REFUSED(400, "two words", "7.1.1", CHUNKED "1;a b\r\nx\r\n" END),
	REFUSED(400, "a quote that is not closed", "7.1.1", CHUNKED "1;a=\"b\r\nx\r\n" END),
	REFUSED(400, "a quote closed by an escaped one", "7.1.1",
	    CHUNKED "1;a=\"b\\\"\r\nx\r\n" END),
	REFUSED(400, "letters behind a quoted value", "7.1.1", CHUNKED "1;a=\"b\"c\r\nx\r\n" END),
	REFUSED(400, "a bare CR in an extension", "2.2", CHUNKED "1;a\rb\r\nx\r\n" END),
	REFUSED(400, "a bare LF in a quoted value", "2.2", CHUNKED "1;a=\"\nb\"\r\nx\r\n" END),
	REFUSED(400, "a control character in a quoted value", "7.1.1",
	    CHUNKED "1;a=\"\x01\"\r\nx\r\n" END),
	ACCEPTED("a line of 256 bytes", "7.1.1",
	    CHUNKED "1;" X64 X64 X64 X7(X8) "aaaa\r\nx\r\n" END, SEEN " || x"),
	REFUSED(400, "a line of 257 bytes", "7.1.1",
	    CHUNKED "1;" X64 X64 X64 X7(X8) "aaaaa\r\nx\r\n" END),
	REFUSED(400, "an extension that does not end", "7.1.1", CHUNKED "1;" X512),

	/* Trailers: checked, and dropped. */
	ACCEPTED("trailers are no fields of the header", "7.1.2",
	    CHUNKED "1\r\nx\r\n0\r\nA: b\r\nAuthorization: c\r\n\r\n" GET "\r\n",
	    SEEN " || x\nGET / keep | Host: x"),
	ACCEPTED("as many trailers as are allowed", "7.1.2", TRAILER(X7("A: b\r\n") "A: b"), SEEN),
	REFUSED(431, "a trailer more", "7.1.2", TRAILER(X7("A: b\r\n") "A: b\r\nA: b")),
	ACCEPTED("trailers as long as is allowed", "7.1.2",
	    TRAILER("A: " X4096 X7(X512) X7(X64) X7(X8) "a"), SEEN),
	REFUSED(431, "trailers one longer", "7.1.2",
	    TRAILER("A: " X4096 X7(X512) X7(X64) X7(X8) "aa")),
	REFUSED(431, "two trailers that are too long together", "7.1.2",
	    TRAILER("A: " X4096 "\r\nA: " X4096)),
	REFUSED(400, "a blank before a trailer's colon", "5.1", TRAILER("A : b")),
	REFUSED(400, "a trailer without a colon", "5", TRAILER("A")),
	REFUSED(400, "a trailer without a name", "5", TRAILER(": b")),
	REFUSED(400, "a folded trailer", "5.2", TRAILER("A: b\r\n c")),
	REFUSED(400, "a control character in a trailer", "RFC 9110 5.5", TRAILER("A: \x01")),
	REFUSED(400, "a length in the trailers", "RFC 9110 6.5.1", TRAILER("content-length: 1")),
	REFUSED(400, "a coding in the trailers", "RFC 9110 6.5.1",
	    TRAILER("Transfer-Encoding: chunked")),
	REFUSED(400, "Host in the trailers", "RFC 9110 6.5.1", TRAILER("Host: y")),
	REFUSED(400, "Content_Length in the trailers", "11.2", TRAILER("Content_Length: 1")),
	REFUSED(400, "Transfer_Encoding in the trailers", "11.2",
	    TRAILER("Transfer_Encoding: chunked")),
	LAST_CASE,
};
