/* SPDX-License-Identifier: MIT */
/*
 * err: what went wrong, in one table. A code has a stable slug (the `code` of a problem response
 * and of a log line), the HTTP status that it becomes, and a title; an err adds one sentence for
 * the caller, the `detail` of RFC 9457.
 *
 * The sentence is shown to tenants: no secret, no connection string, no library's own text goes in.
 * It says what to change or when to try again. What only operators may read (a server's own words,
 * a role's name, an SQLSTATE) is the cause: it is logged and never sent. Plain values, owned by
 * whoever declares them; any thread.
 */
#ifndef TENANTGATE_BASE_ERR_H
#define TENANTGATE_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*	code			status	slug			title */
#define ERR_TABLE(X)									\
	X(ERR_NONE,		200,	"ok",			"OK")			\
	X(ERR_BAD_REQUEST,	400,	"bad_request",		"Bad request")		\
	X(ERR_INVALID_JSON,	400,	"invalid_json",		"Body is not JSON")	\
	X(ERR_INVALID_FIELD,	400,	"invalid_field",	"Invalid field")	\
	X(ERR_INVALID_TENANT,	400,	"invalid_tenant",	"Invalid tenant id")	\
	X(ERR_CONTEXT_LENGTH,	400,	"context_length_exceeded", "Too long for the model") \
	X(ERR_CONTENT_FILTER,	400,	"content_filtered",	"Refused by a filter")	\
	X(ERR_QUESTION_LIMIT,	400,	"question_too_long",	"Question too long")	\
	X(ERR_MODEL_FORBIDDEN,	403,	"model_not_allowed",	"Model not allowed")	\
	X(ERR_UNAUTHENTICATED,	401,	"unauthenticated",	"Unauthenticated")	\
	X(ERR_FORBIDDEN,	403,	"forbidden",		"Forbidden")		\
	X(ERR_SCOPE,		403,	"insufficient_scope",	"Insufficient scope")	\
	X(ERR_SUSPENDED,	403,	"tenant_suspended",	"Tenant suspended")	\
	X(ERR_TOO_MANY_DOCUMENTS, 403,	"too_many_documents",	"Too many documents")	\
	X(ERR_STORAGE_FULL,	403,	"storage_full",		"Storage full")		\
	X(ERR_NOT_FOUND,	404,	"not_found",		"Not found")		\
	X(ERR_NO_DOCUMENT,	404,	"document_not_found",	"Document not found")	\
	X(ERR_METHOD,		405,	"method_not_allowed",	"Method not allowed")	\
	X(ERR_REQUEST_TIMEOUT,	408,	"request_timeout",	"Request timed out")	\
	X(ERR_DELETED,		410,	"tenant_deleted",	"Tenant deleted")	\
	X(ERR_CONFLICT,		409,	"conflict",		"Conflict")		\
	X(ERR_VECTORS,		409,	"embedding_model_changed", "Other embedding model") \
	X(ERR_TOO_LARGE,	413,	"too_large",		"Body too large")	\
	X(ERR_URI_TOO_LONG,	414,	"uri_too_long",		"Target too long")	\
	X(ERR_MEDIA_TYPE,	415,	"unsupported_media_type", "Unsupported media type") \
	X(ERR_EXPECTATION,	417,	"expectation_failed",	"Expectation failed")	\
	X(ERR_CONF,		422,	"configuration_refused", "Configuration refused") \
	X(ERR_NEON_REFUSED,	422,	"neon_refused",		"Provider refused")	\
	X(ERR_PDF_ENCRYPTED,	422,	"document_encrypted",	"Document is encrypted") \
	X(ERR_PDF_PASSWORD,	422,	"document_password",	"Wrong password")	\
	X(ERR_PDF_BROKEN,	422,	"document_broken",	"Document is broken")	\
	X(ERR_DOC_EMPTY,	422,	"document_empty",	"Document is empty")	\
	X(ERR_PDF_NO_TEXT,	422,	"document_no_text",	"Document has no text")	\
	X(ERR_DOC_LIMIT,	422,	"document_limit",	"Document past a limit") \
	X(ERR_RATE_LIMITED,	429,	"rate_limited",		"Too many requests")	\
	X(ERR_TOKEN_QUOTA,	429,	"token_quota_exceeded",	"Tokens used up")	\
	X(ERR_TOO_MANY_STREAMS, 429,	"too_many_streams",	"Too many streams")	\
	X(ERR_HEADERS_LARGE,	431,	"headers_too_large",	"Headers too large")	\
	X(ERR_CLIENT_GONE,	499,	"client_gone",		"Client left")		\
	X(ERR_INTERNAL,		500,	"internal",		"Internal error")	\
	X(ERR_NOT_IMPLEMENTED,	501,	"not_implemented",	"Not implemented")	\
	X(ERR_MODEL,		502,	"model_failed",		"Model failed")		\
	X(ERR_NEON,		502,	"neon_failed",		"Provider failed")	\
	X(ERR_DATABASE,		502,	"database_failed",	"Tenant database failed") \
	X(ERR_UPSTREAM,		502,	"upstream_failed",	"Upstream failed")	\
	X(ERR_OVERLOADED,	503,	"overloaded",		"Overloaded")		\
	X(ERR_POOL_TIMEOUT,	503,	"pool_timeout",		"No connection free")	\
	X(ERR_PROVISIONING,	503,	"provisioning",		"Database being made")	\
	X(ERR_DATABASE_AWAY,	503,	"database_unavailable",	"Tenant database unavailable") \
	X(ERR_DATABASE_QUOTA,	503,	"database_quota",	"Tenant database over quota") \
	X(ERR_OUTDATED,		503,	"database_outdated",	"Tenant database out of date") \
	X(ERR_CATALOG,		503,	"catalog_unavailable",	"Catalog unavailable")	\
	X(ERR_ISSUER,		503,	"issuer_unavailable",	"Issuer's keys unavailable") \
	X(ERR_LIMITER,		503,	"limiter_unavailable",	"Rate limiter unavailable") \
	X(ERR_SHUTDOWN,		503,	"shutting_down",	"Shutting down")	\
	X(ERR_EXTRACT,		503,	"extract_failed",	"Extractor failed")	\
	X(ERR_HTTP_VERSION,	505,	"http_version",		"HTTP version not supported") \
	X(ERR_TIMEOUT,		504,	"timeout",		"Timed out")		\
	X(ERR_MODEL_TIMEOUT,	504,	"model_timeout",	"Model timed out")

#define ERR_ENUM(code, status, slug, title) code,
enum err_code { ERR_TABLE(ERR_ENUM) ERR_CODES };
#undef ERR_ENUM

/* A format for ERR_OVERLOADED, where there is no memory for what a client has sent or asked for.
 * Its argument is what the memory was for: "the document's text". */
#define ERR_NO_MEMORY	"There is no memory for %s now. Try again in a moment."

struct err {
	enum err_code	code;
	int		retry_after;	/* seconds, for Retry-After; 0: none is sent */
	const char	*policy;	/* static: the limit that refuses, by its name, as in the
					 * RateLimit-Policy field; NULL: none does */
	char		detail[256];	/* one sentence, UTF-8, no control characters */
	char		cause[256];	/* for operators: logged, never sent; empty: none is known.
					 * UTF-8, no control characters, no secret */
};

int		 err_status(enum err_code);
const char	*err_slug(enum err_code);
const char	*err_title(enum err_code);

/* Without effect when err holds a code already: the first reason is the cause, what follows is its
 * consequences. A detail that is too long is cut. */
void	err_set(struct err *, enum err_code, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));
void	err_vset(struct err *, enum err_code, const char *fmt, va_list)
	    __attribute__((format(printf, 3, 0)));
/* Says what an operator needs to know of it. Without effect when there is no code, or a cause. */
void	err_cause(struct err *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void	err_clear(struct err *);
/* For an operator's log or terminal: the detail, and the cause when one is known. */
#define ERR_TOLD_SIZE	520
void	err_tell(const struct err *, char out[ERR_TOLD_SIZE]);
/* Copies as much of a text as fits into size bytes, cut between two characters; controls and broken
 * UTF-8 become '?'. */
void	err_text_copy(char *out, size_t size, const char *text);

static inline bool
err_is(const struct err *e)
{
	return e->code != ERR_NONE;
}

#endif
