/* SPDX-License-Identifier: MIT */
/*
 * request_print: reads bytes of connections for request-readers.test.mjs, which has other servers
 * read the same. stdin: on each line the bytes of one connection, in hex. stdout: for each a line
 * of JSON, {"requests":[{"method","target","body","whole"}],"end"}, where target and body are hex,
 * a target in absolute form is without its authority, and end is "closed" by the last request's
 * own word, "more" where bytes are waited for, or the code that the next bytes are refused with.
 * --cases: prints the cases of tests/unit/http1_cases*.c in hex, a line each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "http/parse.h"
#include "../unit/http1_cases.h"
#include "tenantgate/base/hex.h"

#define LINE_SIZE  (1u << 20)
#define FIELDS_MAX 100

/* As http_conf_init() has them. */
static const struct parse_limits limits = { .head_bytes = 32768,
	.target = 8192,
	.fields = FIELDS_MAX };

static void
hex_append(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_printf(b, "%02x", (unsigned char)s.p[i]);
}

static void
print_request_head(struct buf *out, const struct parse *p)
{
	struct slice path = parse_path(p);

	buf_puts(out, out->data[out->len - 1] == '[' ? "{\"method\":\"" : ",{\"method\":\"");
	hex_append(out, parse_slice(p, p->method));
	buf_puts(out, "\",\"target\":\"");
	hex_append(out, path);
	if (p->query.at > 0) {
		hex_append(out, SLICE_LIT("?"));
		hex_append(out, parse_slice(p, p->query));
	}
	buf_puts(out, "\",\"body\":\"");
}

/* The word for the end; NULL as long as the next request is read. */
static const char *
read_request(struct buf *out, struct parse *p, struct slice *in)
{
	struct slice data;

	for (;;) {
		enum parse_event event = parse_feed(p, in, &data);

		if (event == PARSE_HEAD)
			print_request_head(out, p);
		else if (event == PARSE_DATA)
			hex_append(out, data);
		else if (event == PARSE_DONE)
			buf_puts(out, "\",\"whole\":true}");
		if (event == PARSE_DONE)
			return parse_persists(p) ? NULL : "closed";
		if (event == PARSE_MORE)
			return "more";
		if (event == PARSE_ERROR)
			return err_slug(p->err.code);
	}
}

static void
print_requests(struct slice bytes)
{
	struct parse_field fields[FIELDS_MAX];
	struct buf head, line, out;
	const char *end = NULL;
	struct parse p;

	buf_init(&head, limits.head_bytes);
	buf_init(&line, PARSE_TRAILERS_MAX);
	buf_init(&out, 4 * LINE_SIZE);
	parse_init(&p, &limits, &head, &line, fields);
	buf_puts(&out, "{\"requests\":[");
	while (end == NULL) {
		end = read_request(&out, &p, &bytes);
		if (end == NULL)
			parse_next(&p);
	}
	if (out.data[out.len - 1] != '[' && out.data[out.len - 1] != '}')
		buf_puts(&out, "\",\"whole\":false}");
	buf_printf(&out, "],\"end\":\"%s\"}\n", end);
	if (out.failed)
		abort();
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&head);
	buf_free(&line);
	buf_free(&out);
}

/* In memory of its own size, so that reading past it is seen. */
static void
print_line(const char *hex)
{
	size_t n = strspn(hex, "0123456789abcdef") / 2;
	char *bytes = malloc(n + 1);

	if (bytes == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(hex_value(hex[2 * i]) << 4 | hex_value(hex[2 * i + 1]));
	print_requests(slice_of(bytes, n));
	free(bytes);
}

static void
print_cases(void)
{
	static const struct http1_case *const lists[] = { http1_line_cases, http1_field_cases,
		http1_body_cases, http1_chunk_cases };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct http1_case *c = lists[i]; c->name != NULL; c++) {
			for (size_t k = 0; k < c->bytes.len; k++)
				printf("%02x", (unsigned char)c->bytes.p[k]);
			putchar('\n');
		}
}

int
main(int argc, char **argv)
{
	char *line = malloc(LINE_SIZE);

	if (line == NULL)
		return 1;
	if (argc > 1 && strcmp(argv[1], "--cases") == 0)
		print_cases();
	else
		while (fgets(line, LINE_SIZE, stdin) != NULL)
			print_line(line);
	free(line);
	return 0;
}
