/* SPDX-License-Identifier: MIT */
/*
 * bare_query: what a search is compared with in tests/bench/documents: a prepared statement, asked
 * by a client that does nothing else. The questions' vectors are sent as they come from the table
 * question (number int, v vector): in binary.
 *
 *	bare_query URL SETTINGS STATEMENT	$1: the vector
 *
 * Says "pid N" of its server's process; then for each line of the input, a question's number, the
 * milliseconds from sending to the last row.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define QUESTIONS_MAX 10000

static PGresult *
must(PGconn *c, PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
		fprintf(stderr, "bare_query: %s", PQerrorMessage(c));
		exit(1);
	}
	return r;
}

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
bare_ask(PGconn *c, const char *vector, int length)
{
	const int binary = 1;
	double began = now_ms();

	PQclear(must(c, PQexecPrepared(c, "bare", 1, &vector, &length, &binary, 0)));
	return now_ms() - began;
}

/* The row of each question; -1: there is none. */
static void
rows_of(const PGresult *questions, int rows[QUESTIONS_MAX])
{
	for (int i = 0; i < QUESTIONS_MAX; i++)
		rows[i] = -1;
	for (int i = 0; i < PQntuples(questions); i++) {
		long n = strtol(PQgetvalue(questions, i, 0), NULL, 10);

		if (n >= 0 && n < QUESTIONS_MAX)
			rows[n] = i;
	}
}

int
main(int argc, char **argv)
{
	static int rows[QUESTIONS_MAX];
	const char *names[] = { "dbname", "options", "application_name", NULL };
	const char *values[] = { argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "", "bare_query",
		NULL };
	PGresult *questions, *vectors;
	PGconn *c;
	int n;

	if (argc != 4)
		return 2;
	c = PQconnectdbParams(names, values, 1);
	if (PQstatus(c) != CONNECTION_OK) {
		fprintf(stderr, "bare_query: %s", PQerrorMessage(c));
		return 1;
	}
	questions = must(c, PQexec(c, "SELECT number FROM question ORDER BY number"));
	vectors = must(c,
	    PQexecParams(c, "SELECT v FROM question ORDER BY number", 0, NULL, NULL, NULL, NULL,
		1));
	rows_of(questions, rows);
	PQclear(must(c, PQprepare(c, "bare", argv[3], 1, NULL)));
	printf("pid %d\n", PQbackendPID(c));
	fflush(stdout);
	while (scanf("%d", &n) == 1 && n >= 0 && n < QUESTIONS_MAX && rows[n] >= 0) {
		printf("%.4f\n",
		    bare_ask(c, PQgetvalue(vectors, rows[n], 0), PQgetlength(vectors, rows[n], 0)));
		fflush(stdout);
	}
	PQclear(questions);
	PQclear(vectors);
	PQfinish(c);
	return 0;
}
