/* SPDX-License-Identifier: MIT */
/*
 * pem: reads the certificates of a file with OpenSSL, as the libraries will that are given it.
 */
#include "tenantgate/wire/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Stops at the first that is none: at the end of the file that is PEM_R_NO_START_LINE. */
static unsigned
count_certificates(FILE *f, unsigned long *stopped_by)
{
	unsigned count = 0;
	X509 *certificate;

	ERR_clear_error();
	while ((certificate = PEM_read_X509_AUX(f, NULL, NULL, NULL)) != NULL) {
		X509_free(certificate);
		count++;
	}
	*stopped_by = ERR_peek_last_error();
	ERR_clear_error();
	return count;
}

/* A pipe would be waited for: by us, and by the libraries that read it later. */
FILE *
pem_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st = { 0 };

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fdopen(fd, "r");
	close(fd);
	errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	return NULL;
}

bool
pem_has_certificates(const char *path, struct err *err)
{
	FILE *f = pem_open(path);
	unsigned long stopped_by;
	unsigned count;

	if (f == NULL) {
		err_set(err, ERR_INVALID_FIELD,
		    "%.160s cannot be read (%s); let the user that serves read it.", path,
		    strerror(errno));
		return false;
	}
	count = count_certificates(f, &stopped_by);
	fclose(f);
	if (count > 0 && ERR_GET_REASON(stopped_by) == PEM_R_NO_START_LINE)
		return true;
	err_set(err, ERR_INVALID_FIELD,
	    count == 0 ? "%.160s has no certificate in it; it must be PEM."
		       : "%.160s has a certificate in it that is not well formed.",
	    path);
	return false;
}
