/* SPDX-License-Identifier: MIT */
/*
 * parse_head: the request line and the fields (RFC 9112 2 to 6). Fields that say where a message
 * ends or whom it is for are checked here; the others are only kept. Where the RFC leaves a choice
 * between repairing and refusing, the message is refused, with 400 when nothing fits better.
 */
#include "http/parse_internal.h"

#include <string.h>

#include "http/chars.h"

typedef bool field_fn(struct parse *, struct slice value);

static bool
parse_refuse(struct parse *p, const char *why)
{
	return parse_fail(p, ERR_BAD_REQUEST, why);
}

/* s is a part of the head. */
static struct parse_span
span_of(const struct parse *p, struct slice s)
{
	return (struct parse_span){ (uint32_t)(s.p - p->head->data), (uint32_t)s.len };
}

/* Up to the first `c`, which is taken too; false when there is none. */
static bool
slice_cut_at(struct slice *rest, char c, struct slice *before)
{
	const char *at = rest->len == 0 ? NULL : memchr(rest->p, c, rest->len);

	if (at == NULL)
		return false;
	*before = slice_of(rest->p, (size_t)(at - rest->p));
	*rest = slice_of(at + 1, rest->len - before->len - 1);
	return true;
}

/* RFC 9112 2.3: "HTTP/" in capitals, one digit, a dot, one digit. A higher minor version should be
 * treated as 1.1 (RFC 9110 2.5); there is none, and what calls itself 1.2 may frame its messages in
 * a way unknown here, so it gets 505. */
static bool
parse_version(struct parse *p, struct slice v)
{
	bool shaped = v.len == 8 && memcmp(v.p, "HTTP/", 5) == 0 && v.p[5] >= '0' &&
	    v.p[5] <= '9' && v.p[6] == '.' && v.p[7] >= '0' && v.p[7] <= '9';

	if (!shaped)
		return parse_refuse(p,
		    "The request line does not end in an HTTP version; end it in HTTP/1.1.");
	if (v.p[5] != '1' || v.p[7] > '1')
		return parse_fail(p, ERR_HTTP_VERSION,
		    "This version of HTTP is not supported; use HTTP/1.1 or HTTP/1.0.");
	p->http11 = v.p[7] == '1';
	return true;
}

/*
 * absolute-form, http://authority/path?query (RFC 9112 3.2.2). The authority is checked and
 * dropped: nothing here is chosen by host, so it cannot disagree with Host to any effect. An empty
 * host is an error (RFC 9110 4.2.1), and so is userinfo, which serves to disguise a host (4.2.4).
 */
static bool
parse_absolute_form(struct parse *p, struct slice *target)
{
	size_t scheme = strlen("http://");
	size_t n;

	if (target->len > scheme && strncasecmp(target->p, "https://", scheme + 1) == 0)
		scheme++;
	else if (target->len < scheme || strncasecmp(target->p, "http://", scheme) != 0)
		return parse_refuse(p,
		    "The request target is neither a path nor an http URL; begin it with a slash.");
	*target = slice_of(target->p + scheme, target->len - scheme);
	for (n = 0; n < target->len && target->p[n] != '/' && target->p[n] != '?';)
		n++;
	if (!slice_is_authority(slice_of(target->p, n)))
		return parse_refuse(p,
		    "The request target has no valid host; write it as http://host/path.");
	*target = slice_of(target->p + n, target->len - n);
	return true;
}

/*
 * RFC 9112 3.2. A fragment, a blank, a control character or a byte outside ASCII is no part of a
 * target; a server that repairs it may serve another resource than the one a gateway has allowed.
 * asterisk-form is for OPTIONS (3.2.4), authority-form for CONNECT (3.2.3).
 */
static bool
parse_target(struct parse *p, struct slice target)
{
	bool options = slice_is(parse_slice(p, p->method), "OPTIONS");
	struct slice path;

	if (target.len > p->limits.target)
		return parse_fail(p, ERR_URI_TOO_LONG,
		    "The request target is too long; shorten the path or the query.");
	if (!slice_is_target(target))
		return parse_refuse(p,
		    "The request target holds a character that must be percent-encoded; encode "
		    "it.");
	if (slice_is(target, "*") && !options)
		return parse_refuse(p, "The request target * is for OPTIONS only; send a path.");
	if (target.p[0] != '/' && !slice_is(target, "*") && !parse_absolute_form(p, &target))
		return false;
	if (slice_cut_at(&target, '?', &path)) {
		p->path = span_of(p, path);
		p->query = span_of(p, target);
	} else {
		p->path = span_of(p, target);
	}
	return true;
}

/* RFC 9112 3: two single spaces. Splitting at any whitespace is allowed but not done: a target with
 * a blank in it would be another target to a gateway that splits differently. The version is
 * checked before the target: HTTP/2's preface ("PRI * HTTP/2.0") is to get 505. */
bool
parse_request_line(struct parse *p, struct slice line)
{
	struct slice method, target;

	if (!slice_cut_at(&line, ' ', &method) || !slice_cut_at(&line, ' ', &target))
		return parse_refuse(p,
		    "The request line must be a method, a target and a version, one space between "
		    "them.");
	if (!slice_is_token(method) || method.len > PARSE_METHOD_MAX)
		return parse_refuse(p,
		    "The method is not a token or too long; send a method such as GET or POST.");
	p->method = span_of(p, method);
	if (!parse_version(p, line))
		return false;
	if (slice_is(method, "CONNECT"))
		return parse_fail(p, ERR_NOT_IMPLEMENTED,
		    "CONNECT is not supported, as this is no tunnel; send the request to a path.");
	return parse_target(p, target);
}

/* RFC 9112 3.2: 400 for a second Host and for one that is not a valid host. A gateway could route
 * by the one and we answer for the other. */
static bool
field_host(struct parse *p, struct slice value)
{
	if (++p->hosts > 1)
		return parse_refuse(p, "There is more than one Host field; send one.");
	p->host_is_empty = value.len == 0;
	return p->host_is_empty || slice_is_authority(value) ||
	    parse_refuse(p, "The Host field is not a valid host; send the name in the URL.");
}

/*
 * RFC 9112 6.2, 6.3: digits, once. A second one and a list are refused even when all say the same
 * number, 18 digits never overflow 64 bits, and a zero before others is octal to some: a length
 * that is read in two ways, or wraps, lets a request hide in a body (11.2).
 */
static bool
field_length(struct parse *p, struct slice value)
{
	if (++p->lengths > 1)
		return parse_refuse(p, "There is more than one Content-Length field; send one.");
	if (value.len == 0 || value.len > 18)
		return parse_refuse(p,
		    "Content-Length is empty or too large; send the length of the body in bytes.");
	if (value.len > 1 && value.p[0] == '0')
		return parse_refuse(p,
		    "Content-Length begins with a zero; send the number without it.");
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return parse_refuse(p, "Content-Length must be decimal digits only.");
		p->length = p->length * 10 + (uint64_t)(value.p[i] - '0');
	}
	p->framing = PARSE_COUNTED;
	return true;
}

/* RFC 9112 6.1, 7: chunked alone, so it is also the final coding, by which the body's end is known
 * (6.3). Anything else ("gzip, chunked", "chunked;q=1") may be chunked to one parser and not to
 * another, a known way to smuggle a request (11.2). A coding that is well formed and not understood
 * should get 501 (6.1); here all get 400. */
static bool
field_coding(struct parse *p, struct slice value)
{
	if (++p->codings > 1 || !slice_is_nocase(value, "chunked"))
		return parse_refuse(p,
		    "Transfer-Encoding must be chunked, alone and in one field.");
	return true;
}

/* RFC 9110 10.1.1: 417 for an expectation that is not known. A 100-continue in an HTTP/1.0 request
 * must be ignored, for its client would take the 100 for the final response. */
static bool
field_expect(struct parse *p, struct slice value)
{
	if (!slice_is_nocase(value, "100-continue"))
		return parse_fail(p, ERR_EXPECTATION,
		    "The Expect field is not 100-continue; send that or leave the field out.");
	p->expects_continue = p->http11;
	return true;
}

/* A list of options (RFC 9110 7.6.1); parse_persists() decides by the two that are kept here. */
static bool
field_connection(struct parse *p, struct slice value)
{
	struct slice item;

	while (slice_list_next(&value, &item)) {
		if (slice_is_nocase(item, "close"))
			p->close = true;
		else if (slice_is_nocase(item, "keep-alive"))
			p->keep_alive = true;
	}
	return true;
}

/* Authorization and Content-Type: neither is a list, so neither may come twice (RFC 9110 5.3). A
 * gateway could check one credential and this server use the other. */
static bool
field_single(struct parse *p, struct slice value)
{
	const struct parse_field *last = &p->fields[p->field_count - 1];
	struct slice name = parse_slice(p, last->name);

	(void)value;
	for (unsigned i = 0; i + 1 < p->field_count; i++) {
		struct slice other = parse_slice(p, p->fields[i].name);

		if (other.len == name.len && strncasecmp(other.p, name.p, name.len) == 0)
			return parse_refuse(p,
			    "Authorization or Content-Type is there twice; send each once.");
	}
	return true;
}

/* Gateways in the style of CGI write '-' as '_', and then cannot tell Content_Length from
 * Content-Length: one of them would frame the message differently (RFC 9112 11.2). */
static bool
field_underscored(struct parse *p, struct slice value)
{
	(void)value;
	return parse_refuse(p,
	    "A field that frames the message is spelled with '_'; spell it with '-'.");
}

/* The fields that are checked; names match in any case (RFC 9110 5.1). */
static const struct {
	const char	*name;
	field_fn	*check;
} known_fields[] = {
	{ "Host",		field_host },
	{ "Content-Length",	field_length },
	{ "Transfer-Encoding",	field_coding },
	{ "Connection",		field_connection },
	{ "Expect",		field_expect },
	{ "Authorization",	field_single },
	{ "Content-Type",	field_single },
	{ "Content_Length",	field_underscored },
	{ "Transfer_Encoding",	field_underscored },
};

/* Connection with them: some servers end by it wherever it stands, in a trailer too, and then read
 * the next request not at all, where others do. */
bool
parse_is_framing(struct slice name)
{
	return slice_is_nocase(name, "Host") || slice_is_nocase(name, "Connection") ||
	    slice_is_nocase(name, "Content-Length") || slice_is_nocase(name, "Transfer-Encoding") ||
	    slice_is_nocase(name, "Content_Length") || slice_is_nocase(name, "Transfer_Encoding");
}

/*
 * RFC 9112 5: name ":" OWS value OWS. Folding is refused (5.2), and a blank before the first field
 * with it (2.2). A blank before the colon must be refused (5.1): some parsers drop it and see the
 * field, others see another name.
 */
bool
parse_field_split(struct parse *p, struct slice line, struct slice *name, struct slice *value)
{
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return parse_refuse(p, "A field is folded over several lines; send it in one.");
	if (!slice_cut_at(&line, ':', name))
		return parse_refuse(p, "A field line has no colon; send it as name: value.");
	if (!slice_is_token(*name))
		return parse_refuse(p,
		    "A field name is not a token; send it without blanks, right before its colon.");
	*value = slice_trim(line);
	return true;
}

/*
 * A tab is a blank (RFC 9110 5.6.3), but not to everybody: nginx and node refuse a length with one
 * behind it, and to node "close" and a tab is another word than close. So it is refused around a
 * value that says where a message ends.
 */
static bool
framing_is_plain(struct parse *p, struct slice name, struct slice line)
{
	return !parse_is_framing(name) || memchr(line.p, '\t', line.len) == NULL ||
	    parse_refuse(p, "A field that frames the message holds a tab; send it without.");
}

/* Kept first, then checked: field_single() compares with all that came before. */
bool
parse_field_line(struct parse *p, struct slice line)
{
	struct slice name, value;

	if (!parse_field_split(p, line, &name, &value) || !framing_is_plain(p, name, line))
		return false;
	if (p->field_count == p->limits.fields)
		return parse_fail(p, ERR_HEADERS_LARGE,
		    "There are too many header fields; send fewer.");
	p->fields[p->field_count++] = (struct parse_field){ span_of(p, name), span_of(p, value) };
	for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
		if (slice_is_nocase(name, known_fields[i].name))
			return known_fields[i].check(p, value);
	}
	return true;
}

/* Host is required by HTTP/1.1, and empty only for a target without an authority (RFC 9112 3.2).
 * The checks of load balancers often have none; of those nothing depends on it. */
static bool
check_host(struct parse *p)
{
	bool is_missing = p->http11 && p->hosts == 0;

	if (!is_missing && !p->host_is_empty)
		return true;
	if (p->limits.hostless != NULL &&
	    p->limits.hostless(parse_slice(p, p->method), parse_path(p)))
		return true;
	return parse_refuse(p,
	    is_missing ? "HTTP/1.1 needs a Host field; send one."
		       : "The Host field is not a valid host; send the name in the URL.");
}

/*
 * What only the whole header section shows. Length and coding together may be an attempt at request
 * smuggling (6.3, 11.2). A coding in an HTTP/1.0 message is faulty framing: a proxy of that version
 * has passed on what it did not understand (6.1).
 */
bool
parse_head_end(struct parse *p)
{
	if (!check_host(p))
		return false;
	if (p->codings > 0 && p->lengths > 0)
		return parse_refuse(p,
		    "Content-Length and Transfer-Encoding exclude each other; send one of them.");
	if (p->codings > 0 && !p->http11)
		return parse_refuse(p,
		    "HTTP/1.0 has no Transfer-Encoding; send Content-Length, or use HTTP/1.1.");
	if (p->codings > 0)
		p->framing = PARSE_CHUNKED;
	return true;
}
