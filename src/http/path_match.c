/* SPDX-License-Identifier: MIT */
/*
 * path_match: a request's path against the pattern of a route. Segments are separated before any
 * escape is decoded (RFC 3986 2.2): "%2F" is a byte of a parameter, never a border between two, and
 * a literal is matched only as it is written in the pattern. "." and ".." are not resolved: a path
 * cannot reach another route than the one that a gateway saw in its bytes.
 */
#include <assert.h>

#include "http/percent.h"
#include "tenantgate/http.h"

/* The name in braces at *pattern captures the path's segment; both move on. False when the segment
 * is empty. The pattern is the program's own, so a malformed one is a bug and aborts. */
static bool
param_capture(const char **pattern, struct slice *path, struct http_path_params *out)
{
	const char *name = *pattern + 1;
	const char *close = strchr(name, '}');
	const char *slash = path->len == 0 ? NULL : memchr(path->p, '/', path->len);
	size_t n = slash == NULL ? path->len : (size_t)(slash - path->p);

	assert(close != NULL && out->count < HTTP_PATH_PARAMS_MAX);
	if (n == 0)
		return false;
	out->items[out->count].name = slice_of(name, (size_t)(close - name));
	out->items[out->count++].raw = slice_of(path->p, n);
	*pattern = close + 1;
	*path = slice_of(path->p + n, path->len - n);
	return true;
}

/* One pass without backtracking: a parameter ends at the next '/', whatever follows it in the
 * pattern. */
bool
http_path_match(const char *pattern, struct slice path, struct http_path_params *out)
{
	out->count = 0;
	while (*pattern != '\0') {
		size_t n = strcspn(pattern, "{");

		if (path.len < n || (n > 0 && memcmp(path.p, pattern, n) != 0))
			return false;
		pattern += n;
		path = slice_of(path.p + n, path.len - n);
		if (*pattern == '{' && !param_capture(&pattern, &path, out))
			return false;
	}
	return path.len == 0;
}

struct slice
http_path_param(const struct http_path_params *params, const char *name, struct arena *a)
{
	for (unsigned i = 0; i < params->count; i++)
		if (slice_is(params->items[i].name, name))
			return percent_decode(params->items[i].raw, false, a);
	return slice_of(NULL, 0);
}
